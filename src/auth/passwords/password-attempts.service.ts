import { createHmac } from 'node:crypto';
import { ForbiddenException, Injectable, UnauthorizedException } from '@nestjs/common';
import { RedisConnection } from '../../cache/redis-connection.js';
import { Config } from '../../config/config.js';
import { networkOf } from '../../http/client-network.js';
import { TooManyRequestsException } from '../../http/problem/too-many-requests.exception.js';
import { RateLimiterService, type RateLimitUse } from '../../http/rate-limit/rate-limiter.service.js';
import { Metrics } from '../../observability/metrics.js';
import { GrowingDelay } from './growing-delay.js';
import { SessionsService } from '../sessions/sessions.service.js';

/** Failures an hour that are free of delay: of an account, from wherever; and of a network, whatever the accounts. */
const FREE_OF_ACCOUNT = 10;
const FREE_OF_NETWORK = 50;

export interface PasswordAttempt {
  readonly ip: string;
  /** Need be nobody's: an unknown one is counted as a known one is. */
  readonly email: string;
  readonly report: (use: RateLimitUse) => void;
}

/** Limits how often passwords can be tried: docs/security.md argues the numbers. */
@Injectable()
export class PasswordAttemptsService {
  private readonly accounts: GrowingDelay;
  private readonly networks: GrowingDelay;

  constructor(
    private readonly config: Config,
    private readonly limiter: RateLimiterService,
    private readonly sessions: SessionsService,
    private readonly metrics: Metrics,
    redis: RedisConnection,
  ) {
    this.accounts = new GrowingDelay(redis, 'account', FREE_OF_ACCOUNT);
    this.networks = new GrowingDelay(redis, 'network', FREE_OF_NETWORK);
  }

  /**
   * Tries a password. What throws {@link UnauthorizedException} or {@link ForbiddenException} has failed; what returns,
   * or fails for another reason, does not count.
   *
   * @throws {TooManyRequestsException} before anything is tried
   */
  async count<T>({ ip, email, report }: PasswordAttempt, attempt: () => Promise<T>): Promise<T> {
    const account = this.pseudonymOf(email);
    const network = networkOf(ip);
    await this.limiter.consume('login', `${network} ${account}`, report);
    if (!this.config.rateLimit.enabled) return attempt();
    await this.admit(network, account, { ip, email });
    try {
      const result = await attempt();
      await this.giveBack(network, account);
      return result;
    } catch (error) {
      if (!(error instanceof UnauthorizedException || error instanceof ForbiddenException)) {
        await this.giveBack(network, account);
      }
      throw error;
    }
  }

  /** Forgets an account that is no more. */
  async forget(email: string): Promise<void> {
    await this.accounts.forget(this.pseudonymOf(email));
  }

  private async admit(
    network: string,
    account: string,
    { ip, email }: Pick<PasswordAttempt, 'ip' | 'email'>,
  ): Promise<void> {
    const waitMs = await this.networks.take(network);
    if (waitMs > 0) this.refuse('network', waitMs);
    const accountWaitMs = await this.accounts.take(account);
    // Where the account has signed in before, its owner gets in, whatever others try elsewhere.
    if (accountWaitMs > 0 && !(await this.sessions.isKnownAddress(email, ip)))
      this.refuse('account', accountWaitMs);
  }

  private async giveBack(network: string, account: string): Promise<void> {
    await Promise.all([this.networks.giveBack(network), this.accounts.giveBack(account)]);
  }

  private refuse(limit: 'network' | 'account', waitMs: number): never {
    this.metrics.countRefusal(limit);
    const seconds = Math.max(1, Math.ceil(waitMs / 1000));
    throw new TooManyRequestsException(`Too many failed attempts; try again in ${seconds} s`, seconds);
  }

  /** Names an e-mail in Redis without telling it: whoever reads Redis cannot try addresses without the secret. */
  private pseudonymOf(email: string): string {
    return createHmac('sha256', this.config.jwt.secret).update(email).digest('base64url').slice(0, 22);
  }
}
