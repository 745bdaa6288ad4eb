import { Client } from 'pg';

/**
 * Sends a query when the one before has ended. TypeORM reads the types of columns with many queries at once on one client,
 * which pg deprecates: https://github.com/typeorm/typeorm/blob/1.1.1/src/driver/postgres/PostgresQueryRunner.ts (loadTables)
 */
export class SequentialClient extends Client {
  private previous: Promise<unknown> = Promise.resolve();

  /** A text and its parameters, which is what TypeORM sends, wait; callbacks and streams are left to pg. */
  override query(...args: unknown[]): never {
    const send = super.query.bind(this) as (...args: unknown[]) => unknown;
    if (typeof args[0] !== 'string' || typeof args.at(-1) === 'function') return send(...args) as never;
    const result = this.previous.catch(() => {}).then(() => send(...args));
    this.previous = result;
    return result as never;
  }
}
