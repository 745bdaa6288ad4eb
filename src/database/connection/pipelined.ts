import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import pg, { type ClientBase, type Pool, type QueryResult, type QueryResultRow } from 'pg';
import { SERVICE_NAME } from '../../config/release.js';
import { Config } from '../../config/config.js';
import { clientConfig } from '../../migrator/connection/connection-options.js';
import { Sql, Statements, withoutStale } from '../sql.js';
import { prepareSession } from './data-source-options.js';
import { RequestClient } from './request-client.js';
import { SharedConnection } from './shared-connection.js';

/** ms. Short, because the statement then goes to the other pool, which tries again. */
const CONNECT_TIMEOUT_MS = 1000;

/**
 * Short statements of all requests on few connections that are pipelined: a third more lists and creates than over the
 * pool (docs/performance.md). They have a pool of their own, because statements that are not short, or wait for a lock,
 * may take all connections of the other.
 */
@Injectable()
export class Pipelined implements OnApplicationShutdown {
  /** For reads of a few rows by an index. If their connection is lost, they are sent again. */
  readonly reads: Statements;
  /**
   * For writes that never wait for a lock. There are several connections, because each write waits until it is on the
   * disk.
   */
  readonly writes: Statements;
  private readonly pool: Pool;

  constructor({ database }: Config, sql: Sql) {
    const writers = Math.ceil(database.poolSize / 2);
    const options = {
      ...clientConfig(database, `${SERVICE_NAME} pipelined`),
      Client: RequestClient,
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      statement_timeout: database.statementTimeoutMs,
      // The pool waits for it.
      onConnect: (client: ClientBase) => prepareSession(client, database.statementTimeoutMs),
      max: 1 + writers,
      // One stays connected, so that the first request after a quiet time does not wait for it.
      min: 1,
      pipeline: true,
    };
    this.pool = new pg.Pool(options);
    // The next statement reports it.
    this.pool.on('error', () => {});
    const connections = (length: number, repeatable: boolean) =>
      Array.from({ length }, () => new SharedConnection(this.pool, () => sql.pool, repeatable));
    this.reads = new SharedStatements(connections(1, true));
    this.writes = new SharedStatements(connections(writers, false));
  }

  async onApplicationShutdown(): Promise<void> {
    await this.pool.end();
  }
}

class SharedStatements extends Statements {
  constructor(connections: readonly SharedConnection[]) {
    // Of the pool's forms of query, statements use one.
    super(() => leastBusy(connections) as unknown as Pick<Pool, 'query'>);
  }

  protected override send<Row extends QueryResultRow>(
    ...statement: Parameters<Statements['send']>
  ): Promise<QueryResult<Row>> {
    return withoutStale(() => super.send<Row>(...statement));
  }
}

function leastBusy(connections: readonly SharedConnection[]): SharedConnection {
  return connections.reduce((least, each) => (each.waiting < least.waiting ? each : least));
}
