import { SetMetadata } from '@nestjs/common';

export const IS_RATE_LIMIT_EXEMPT = 'http:rate-limit-exempt';

/** The route is never limited: probes and scrapes. */
export const RateLimitExempt = () => SetMetadata(IS_RATE_LIMIT_EXEMPT, true);
