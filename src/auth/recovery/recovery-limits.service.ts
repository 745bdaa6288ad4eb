import { Injectable } from '@nestjs/common';
import { SERVICE_NAME } from '../../config/release.js';
import { RedisConnection } from '../../cache/redis-connection.js';
import { Config } from '../../config/config.js';
import { networkOf } from '../../http/client-network.js';
import { TooManyRequestsException } from '../../http/problem/too-many-requests.exception.js';
import { SharedCounter } from '../../http/rate-limit/shared-counter.js';
import { Metrics } from '../../observability/metrics.js';
import type { NewMail } from '../../mail/mail.service.js';
import { pseudonymOf } from '../passwords/pseudonym.js';

const WINDOW_SECONDS = 3600;

/** Requests of a network that cause mails, an hour. */
const PER_NETWORK = 30;

/**
 * Mails of one kind to one address, an hour. A link works for as long, so its owner always has one that does; and an attacker
 * cannot use up the notices without causing some.
 */
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
      new SharedCounter(redis, {
        keyPrefix: `${SERVICE_NAME}:mail:${what}`,
        points,
        duration: WINDOW_SECONDS,
      });
    this.networks = counter('network', PER_NETWORK);
    this.addresses = counter('address', PER_ADDRESS);
  }

  /** @throws {TooManyRequestsException} for too many requests of one network */
  async admit(ip: string): Promise<void> {
    const waitMs = await this.take(ip);
    if (waitMs === 0) return;
    const seconds = Math.ceil(waitMs / 1000);
    throw new TooManyRequestsException(`Too many requests; try again in ${seconds} s`, seconds);
  }

  /** The same for a request that succeeds without its mail. */
  async isAdmitted(ip: string): Promise<boolean> {
    return (await this.take(ip)) === 0;
  }

  /** Counts a mail. Without RATE_LIMIT_ENABLED too: it protects those who get the mails. @returns whether to send it */
  async mayMail(template: NewMail['template'], address: string): Promise<boolean> {
    const { consumedPoints } = await this.addresses.consume(
      `${template} ${pseudonymOf(address, this.config.JWT_SECRET)}`,
    );
    return consumedPoints <= PER_ADDRESS;
  }

  /** @returns 0 if the request is allowed, otherwise ms until the next one is */
  private async take(ip: string): Promise<number> {
    if (!this.config.RATE_LIMIT_ENABLED) return 0;
    const { consumedPoints, msBeforeNext } = await this.networks.consume(networkOf(ip));
    if (consumedPoints <= PER_NETWORK) return 0;
    this.metrics.countRefusal('mail');
    return Math.max(1, msBeforeNext);
  }
}
