import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import pg, { type QueryResult, type QueryResultRow } from 'pg';
import { SERVICE_NAME } from '../../config/release.js';
import { Config } from '../../config/config.js';
import { isDatabaseUnavailable } from '../../migrator/connection/connection-errors.js';
import { clientConfig } from '../../migrator/connection/connection-options.js';
import { Sql, Statements, withoutStale } from '../sql.js';
import { prepareSession } from './data-source-options.js';

/** After a failed attempt to connect, ms. */
const PAUSE_MS = 1000;

/**
 * Short reads of all requests over one connection, each sent before the last one is answered (pipelining). PostgreSQL
 * and this process then wake each other less often: a third more lists and half as many entries again as over the pool
 * (docs/performance.md).
 *
 * Rows arrive in the order of the statements, so a slow one delays all that follow. Only for reads of a few rows by an
 * index: a write can wait for a lock. While there is no connection, the pool is used.
 */
@Injectable()
export class PipelinedReads extends Statements implements OnApplicationShutdown {
  private client: pg.Client | undefined;
  private connecting: pg.Client | undefined;
  private corked = false;
  private notBefore = 0;

  constructor(
    private readonly config: Config,
    sql: Sql,
  ) {
    super(() => this.client ?? sql.pool);
  }

  protected override send<Row extends QueryResultRow>(
    ...statement: Parameters<Statements['send']>
  ): Promise<QueryResult<Row>> {
    return withoutStale(async () => {
      const { client } = this;
      if (!client) this.connect();
      else this.cork(client);
      try {
        return await super.send<Row>(...statement);
      } catch (error) {
        if (!client || !isDatabaseUnavailable(error)) throw error;
        this.lose(client);
        // Waited for in full already.
        if (error instanceof Error && error.message === 'Query read timeout') throw error;
        // A lost connection fails all its statements; they only read, so they can be sent again.
        return super.send<Row>(...statement);
      }
    });
  }

  private connect(): void {
    if (this.connecting || performance.now() < this.notBefore) return;
    const { database } = this.config;
    const client = new pg.Client({
      ...clientConfig(database, `${SERVICE_NAME} reads`),
      statement_timeout: database.statementTimeoutMs,
      pipeline: true,
    });
    this.connecting = client;
    client.on('error', () => this.lose(client));
    client.on('end', () => this.lose(client));
    client
      .connect()
      .then(() => prepareSession(client, database.statementTimeoutMs))
      .then(() => (this.client = client))
      .catch(() => {
        // The statement on the pool reports the same.
        this.notBefore = performance.now() + PAUSE_MS;
        this.lose(client);
      })
      .finally(() => (this.connecting = undefined));
  }

  /** Holds back what is written until all requests that have arrived are read, so that it is one system call for all. */
  private cork(client: pg.Client): void {
    if (this.corked) return;
    this.corked = true;
    const { stream } = client.connection;
    stream.cork();
    setImmediate(() => {
      this.corked = false;
      stream.uncork();
    });
  }

  private lose(client: pg.Client): void {
    if (this.client === client) this.client = undefined;
    client.end().catch(() => {});
  }

  async onApplicationShutdown(): Promise<void> {
    await Promise.all([this.client?.end(), this.connecting?.end()]);
  }
}
