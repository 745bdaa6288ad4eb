import { Client, type ClientConfig, type Connection, type QueryResult } from 'pg';

type Callback = (error: Error | undefined, result: QueryResult) => void;

/**
 * pg's client, but each query gets its callback as an argument. pg would assign a function to a property of the query, and
 * V8 allocates such a function as an old object, which keeps the rows and whatever else it refers to until a full
 * collection: 13 KB of each list outlived the collections of young objects, which took 11 ms in place of 1.5
 * (docs/performance.md).
 * https://github.com/nodejs/node/blob/v24.x/deps/v8/src/parsing/parser.h (CheckAssigningFunctionLiteralToProperty)
 */
export class RequestClient extends Client {
  private readonly timeoutMs: number;

  /** @param config whose `query_timeout`, ms, ends the connection; `statement_timeout` is to end a statement before that */
  constructor(config: ClientConfig = {}) {
    super(config);
    this.timeoutMs = config.query_timeout ?? 0;
    // Otherwise pg times each query itself, with such a function.
    this.internals.connectionParameters.query_timeout = 0;
  }

  /** All forms of pg's own. Streams and cursors, which have a `submit`, are left to pg and have no timeout. */
  override query(statement: unknown, values?: unknown, callback?: unknown): never {
    const send = super.query.bind(this) as (...args: unknown[]) => never;
    if (typeof (statement as { submit?: unknown }).submit === 'function')
      return send(statement, values, callback);
    if (typeof values === 'function') return send(statement, undefined, this.timed(values as Callback));
    if (typeof callback === 'function') return send(statement, values, this.timed(callback as Callback));
    const result = new Promise((resolve, reject) => {
      send(
        statement,
        values,
        this.timed((error, rows) => {
          if (error) reject(error);
          else resolve(rows);
        }),
      );
    });
    return result.catch((error: unknown) => {
      // In place of the stack of the socket's event: the one that leads to the caller.
      Error.captureStackTrace(error as Error);
      throw error;
    }) as never;
  }

  private timed(callback: Callback): Callback {
    if (this.timeoutMs === 0) return callback;
    const timer = setTimeout(() => {
      this.internals.connection.stream.destroy(new Error('Query read timeout'));
    }, this.timeoutMs);
    return (error, result) => {
      clearTimeout(timer);
      callback(error, result);
    };
  }

  /** What pg's types leave out. */
  private get internals() {
    return this as unknown as { connection: Connection; connectionParameters: { query_timeout: number } };
  }
}
