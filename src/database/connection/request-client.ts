import { Client, type ClientConfig, type Connection, type QueryResult } from 'pg';

type Callback = (error: Error | undefined, result: QueryResult) => void;

/**
 * pg's client for statements of requests, without a function that pg assigns to a property of each query. V8 allocates
 * such functions as old objects, which keep all that they refer to, such as the rows, until a full collection: 13 KB of
 * each list outlived the collections of young objects, which took 11 ms in place of 1.5 (docs/performance.md).
 * https://github.com/nodejs/node/blob/v24.x/deps/v8/src/parsing/parser.h (CheckAssigningFunctionLiteralToProperty)
 */
export class RequestClient extends Client {
  private readonly timeoutMs: number;

  /** @param config whose `query_timeout`, in ms, ends the connection: PostgreSQL itself is to end statements before */
  constructor(config: ClientConfig = {}) {
    super(config);
    this.timeoutMs = config.query_timeout ?? 0;
    this.internals.connectionParameters.query_timeout = 0;
  }

  /** The forms of pg's own, with a callback or a promise. */
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

  /** Of pg's class, but not of its types. */
  private get internals() {
    return this as unknown as { connection: Connection; connectionParameters: { query_timeout: number } };
  }
}
