import type { Client, Pool, PoolClient, QueryConfig, QueryResult, QueryResultRow } from 'pg';
import { isDatabaseUnavailable } from '../../migrator/connection/connection-errors.js';

/** SQLSTATE: there is no prepared statement of that name. */
const NOT_PREPARED = '26000';

/** After a failed attempt to connect, ms. */
const PAUSE_MS = 1000;

interface Lease {
  /** Undefined if there is no connection. */
  readonly client: Promise<PoolClient | undefined>;
  readonly end: () => void;
  /** Statements without an answer. */
  waiting: number;
  corked: boolean;
  broken: boolean;
}

/**
 * A connection that the statements of several requests share: each is sent before the last one is answered (pipelining),
 * so PostgreSQL and this process wake each other less often. While no statement waits for an answer, the connection is
 * back in its pool.
 *
 * Answers arrive in the order of the statements, so a slow one delays all that follow, and a lost connection fails them
 * all.
 */
export class SharedConnection {
  private lease: Lease | undefined;

  /**
   * @param pool of clients in pipeline mode
   * @param otherwise runs the statements while there is no connection
   * @param repeatable whether a statement can be sent again, to the other pool, when a lost connection failed it
   */
  constructor(
    private readonly pool: Pool,
    private readonly otherwise: () => Pool,
    private readonly repeatable: boolean,
  ) {}

  /** Statements that wait for their answer. */
  get waiting(): number {
    return this.lease?.waiting ?? 0;
  }

  async query<Row extends QueryResultRow>(config: QueryConfig): Promise<QueryResult<Row>> {
    const lease = (this.lease ??= this.connect());
    lease.waiting += 1;
    let client: PoolClient | undefined;
    try {
      client = await lease.client;
      if (!client) return await this.otherwise().query<Row>(config);
      cork(lease, client);
      return await client.query<Row>(config);
    } catch (error) {
      const isLost = client !== undefined && isDatabaseUnavailable(error);
      if (isLost) {
        lease.broken = true;
        lease.end();
      }
      const { code, message } = error as { code?: unknown; message?: string };
      // The one before it was to prepare it, but failed: while a table is locked, for example.
      const isUnsent = code === NOT_PREPARED;
      // After a timeout, PostgreSQL most likely hangs, and the other pool would wait for as long again.
      const isRepeatable = isLost && this.repeatable && message !== 'Query read timeout';
      if (!isUnsent && !isRepeatable) throw error;
      return await this.otherwise().query<Row>(config);
    } finally {
      lease.waiting -= 1;
      if (client && lease.waiting === 0) {
        lease.end();
        client.off('error', lease.end);
        client.release(lease.broken);
      }
    }
  }

  private connect(): Lease {
    const end = () => {
      if (this.lease === lease) this.lease = undefined;
    };
    const client = this.pool.connect().then(
      // The pool listens only to idle clients, and an error event without a listener would end the process.
      (connected) => connected.on('error', end),
      () => {
        setTimeout(end, PAUSE_MS).unref();
        return undefined;
      },
    );
    const lease: Lease = { client, end, waiting: 0, corked: false, broken: false };
    return lease;
  }
}

/** Holds back what is written until all requests that have arrived are read, so that it is one system call for all. */
function cork(lease: Lease, client: PoolClient): void {
  if (lease.corked) return;
  lease.corked = true;
  const { stream } = (client as unknown as Client).connection;
  stream.cork();
  setImmediate(() => {
    lease.corked = false;
    stream.uncork();
  });
}
