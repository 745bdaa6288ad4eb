import { Injectable } from '@nestjs/common';
import { RedisConnection } from '../../cache/redis-connection.js';
import { Config } from '../../config/config.js';
import { networkOf } from '../../http/client-network.js';
import { TooManyRequestsException } from '../../http/problem/too-many-requests.exception.js';
import { SharedCounter } from '../../http/rate-limit/shared-counter.js';
import { Metrics } from '../../observability/metrics.js';
import type { TokenPurpose } from './account-token.entity.js';
import { pseudonymOf } from '../passwords/pseudonym.js';

const WINDOW_SECONDS = 3600;

/** Requests of a network that cause mails, an hour. */
const PER_NETWORK = 30;

/** Mails with a link of one purpose to one address, an hour. A link works for as long, so its owner always has one that does. */
const PER_ADDRESS = 3;

/** Limits mails that strangers can cause. docs/security.md gives the reasons for the numbers. */
@Injectable()
export class RecoveryLimitsService {
  private readonly networks: SharedCounter;
  private readonly addresses: SharedCounter;

  constructor(
    private readonly config: Config,
    private readonly metrics: Metrics,
    redis: RedisConnection,
  ) {
    const counter = (what: string, points: number) =>
      new SharedCounter(redis, { keyPrefix: `entries:mail:${what}`, points, duration: WINDOW_SECONDS });
    this.networks = counter('network', PER_NETWORK);
    this.addresses = counter('address', PER_ADDRESS);
  }

  /** @throws {TooManyRequestsException} for too many requests of one network */
  async admit(ip: string): Promise<void> {
    if (!this.config.RATE_LIMIT_ENABLED) return;
    const { consumedPoints, msBeforeNext } = await this.networks.consume(networkOf(ip));
    if (consumedPoints <= PER_NETWORK) return;
    this.metrics.countRefusal('mail');
    const seconds = Math.max(1, Math.ceil(msBeforeNext / 1000));
    throw new TooManyRequestsException(`Too many requests; try again in ${seconds} s`, seconds);
  }

  /** Counts a mail. Without RATE_LIMIT_ENABLED too: it protects those who get the mails. @returns whether to send it */
  async mayMail(purpose: TokenPurpose, address: string): Promise<boolean> {
    const { consumedPoints } = await this.addresses.consume(
      `${purpose} ${pseudonymOf(address, this.config.JWT_SECRET)}`,
    );
    return consumedPoints <= PER_ADDRESS;
  }
}
