import { SetMetadata } from '@nestjs/common';

export const ALLOWED_WITHOUT = 'http:allowed-without';

/** What `REQUIRE_VERIFIED_EMAIL` and `REQUIRE_SECOND_FACTOR` ask for. */
export type AccountRequirement = 'verified-email' | 'second-factor';

/** Exempts routes that manage the account itself from these settings. */
export const AllowWithout = (...requirements: AccountRequirement[]) =>
  SetMetadata(ALLOWED_WITHOUT, requirements);
