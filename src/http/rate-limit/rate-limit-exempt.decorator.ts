import { SetMetadata } from '@nestjs/common';

export const IS_RATE_LIMIT_EXEMPT = 'http:rate-limit-exempt';

/** Exempts probes and scrapes from rate limits. */
export const RateLimitExempt = () => SetMetadata(IS_RATE_LIMIT_EXEMPT, true);
