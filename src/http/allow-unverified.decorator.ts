import { SetMetadata } from '@nestjs/common';

export const IS_UNVERIFIED_ALLOWED = 'http:allow-unverified';

/** Exempts routes that manage the account itself from `REQUIRE_VERIFIED_EMAIL`. */
export const AllowUnverified = () => SetMetadata(IS_UNVERIFIED_ALLOWED, true);
