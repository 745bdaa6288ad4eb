import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import pg from 'pg';
import { Config } from '../config/config.js';
import { clientConfig } from '../migrator/connection/connection-options.js';
import { Statements } from './sql.js';

/** ms. Docker and Kubernetes give their probes a few seconds. */
const TIMEOUT_MS = 2000;

/**
 * A connection for readiness alone, made when it is first asked. Behind the queries of requests, a probe would take a busy
 * service for one whose database is away; a balancer would then leave all load to the others, and have them say the same.
 */
@Injectable()
export class ProbeConnection extends Statements implements OnApplicationShutdown {
  private readonly pool: pg.Pool;

  constructor({ database }: Config) {
    const pool = new pg.Pool({
      ...clientConfig(database, 'entries probe'),
      max: 1,
      connectionTimeoutMillis: TIMEOUT_MS,
      query_timeout: TIMEOUT_MS,
      idleTimeoutMillis: 60_000,
    });
    // A lost connection shows in the next probe; without a listener it would end the process.
    pool.on('error', () => {});
    super(() => pool);
    this.pool = pool;
  }

  async onApplicationShutdown(): Promise<void> {
    await this.pool.end();
  }
}
