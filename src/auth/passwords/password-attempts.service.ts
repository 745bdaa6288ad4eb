import { ForbiddenException, Injectable, UnauthorizedException } from '@nestjs/common';
import { RedisConnection } from '../../cache/redis-connection.js';
import { Config } from '../../config/config.js';
import { networkOf } from '../../http/client-network.js';
import { TooManyRequestsException } from '../../http/problem/too-many-requests.exception.js';
import { RateLimiterService, type RateLimitUse } from '../../http/rate-limit/rate-limiter.service.js';
import { Metrics } from '../../observability/metrics.js';
import type { User } from '../../users/user.entity.js';
import { pseudonymOf } from './pseudonym.js';
import { GrowingDelay } from './growing-delay.js';
import { SessionsService } from '../sessions/sessions.service.js';

/** Failures an hour without a delay: for one account from all networks, and for one network on all accounts. */
const FREE_OF_ACCOUNT = 10;
const FREE_OF_NETWORK = 50;

export interface PasswordAttempt {
  readonly ip: string;
  /** An unknown e-mail counts like a known one, so the limit does not reveal who has an account. */
  readonly email: string;
  readonly report: (use: RateLimitUse) => void;
}

/** Limits how often passwords and codes can be tried. docs/security.md gives the reasons for the numbers. */
@Injectable()
export class PasswordAttemptsService {
  private readonly accounts: GrowingDelay;
  private readonly networks: GrowingDelay;
  private readonly codes: GrowingDelay;

  constructor(
    private readonly config: Config,
    private readonly limiter: RateLimiterService,
    private readonly sessions: SessionsService,
    private readonly metrics: Metrics,
    redis: RedisConnection,
  ) {
    this.accounts = new GrowingDelay(redis, 'account', FREE_OF_ACCOUNT);
    this.networks = new GrowingDelay(redis, 'network', FREE_OF_NETWORK);
    this.codes = new GrowingDelay(redis, 'code', FREE_OF_ACCOUNT);
  }

  /**
   * Tries a password. Only an {@link UnauthorizedException} or a {@link ForbiddenException} counts as a failure.
   *
   * @throws {TooManyRequestsException} before the attempt
   */
  async count<T>({ ip, email, report }: PasswordAttempt, attempt: () => Promise<T>): Promise<T> {
    const account = this.keyOf(email);
    const network = networkOf(ip);
    await this.limiter.consume('login', `${network} ${account}`, report);
    if (!this.config.RATE_LIMIT_ENABLED) return attempt();
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

  /**
   * Tries a code of a user whose password was right. A known address and a reset of the
   * password give no more tries: others may share the owner's address, or read the mailbox.
   *
   * @param attempt returns whether the code is right
   * @throws {TooManyRequestsException} before the attempt
   */
  async countCode(userId: string, attempt: () => Promise<boolean>): Promise<boolean> {
    if (!this.config.RATE_LIMIT_ENABLED) return attempt();
    const user = this.keyOf(userId);
    const waitMs = await this.codes.take(user);
    if (waitMs > 0) this.refuse('account', waitMs);
    let isWrong = false;
    try {
      isWrong = !(await attempt());
      return !isWrong;
    } finally {
      if (!isWrong) await this.codes.giveBack(user);
    }
  }

  /** Forgets failures with the password of an account. */
  async forgetPassword(email: string): Promise<void> {
    await this.accounts.forget(this.keyOf(email));
  }

  /** Forgets a deleted account. */
  async forget({ id, email }: Pick<User, 'id' | 'email'>): Promise<void> {
    await this.forgetPassword(email);
    await this.codes.forget(this.keyOf(id));
  }

  private keyOf(what: string): string {
    return pseudonymOf(what, this.config.JWT_SECRET);
  }

  private async admit(
    network: string,
    account: string,
    { ip, email }: Pick<PasswordAttempt, 'ip' | 'email'>,
  ): Promise<void> {
    const waitMs = await this.networks.take(network);
    if (waitMs > 0) this.refuse('network', waitMs);
    const accountWaitMs = await this.accounts.take(account);
    // The owner can still sign in from a known address while others try passwords from elsewhere.
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
}
