import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import pg from 'pg';
import { SERVICE_NAME } from '../../config/release.js';
import { Config } from '../../config/config.js';
import { clientConfig } from '../../migrator/connection/connection-options.js';
import { Statements } from '../sql.js';

/** ms. The probes of Docker and Kubernetes allow a few seconds. */
const TIMEOUT_MS = 2000;

/**
 * A connection for readiness probes only. In the shared pool a probe of a busy service would time out as if the
 * database were unavailable, and a balancer would move the load to the other replicas until they fail too.
 */
@Injectable()
export class ProbeConnection extends Statements implements OnApplicationShutdown {
  private readonly pool: pg.Pool;

  constructor({ database }: Config) {
    const pool = new pg.Pool({
      ...clientConfig(database, `${SERVICE_NAME} probe`),
      max: 1,
      connectionTimeoutMillis: TIMEOUT_MS,
      query_timeout: TIMEOUT_MS,
      idleTimeoutMillis: 60_000,
    });
    // The next probe reports a lost connection. Without a listener, the event would end the process.
    pool.on('error', () => {});
    super(() => pool);
    this.pool = pool;
  }

  async onApplicationShutdown(): Promise<void> {
    await this.pool.end();
  }
}
