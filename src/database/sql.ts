import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import type { CustomTypesConfig, Pool, PoolClient, QueryConfig, QueryResult, QueryResultRow } from 'pg';
import { DataSource } from 'typeorm';

const AS_TEXT = { getTypeParser: () => (text: string) => text } as CustomTypesConfig;

/** Part of each prepared statement's name, so that another number has all of them prepared again. */
let generation = 0;

/**
 * PostgreSQL refuses a prepared statement whose result has other types since a migration, on every connection that has it.
 * https://github.com/postgres/postgres/blob/REL_18_STABLE/src/backend/utils/cache/plancache.c (RevalidateCachedQuery)
 */
function isStale(error: unknown): boolean {
  const { code, routine } = (error ?? {}) as { code?: string; routine?: string };
  return code === '0A000' && routine === 'RevalidateCachedQuery';
}

/**
 * Runs statements on one connection or on the pool. A named statement is prepared: PostgreSQL parses it once per
 * connection. A name belongs to exactly one text.
 */
export class Statements {
  constructor(private readonly connection: () => Pick<Pool | PoolClient, 'query'>) {}

  query<Row extends QueryResultRow>(
    name: string | undefined,
    text: string,
    values: readonly unknown[],
  ): Promise<QueryResult<Row>> {
    return this.send<Row>(name, { text, values: [...values] });
  }

  /** Rows as arrays, in the order of the select list. */
  async queryArrays<Row extends unknown[]>(
    name: string | undefined,
    text: string,
    values: readonly unknown[],
  ): Promise<Row[]> {
    const { rows } = await this.send<Row>(name, { text, values: [...values], rowMode: 'array' });
    return rows;
  }

  /** The same with each value in PostgreSQL's text format, for callers with a faster parser than pg's. */
  async queryTexts<Row extends readonly unknown[]>(
    name: string | undefined,
    text: string,
    values: readonly unknown[],
  ): Promise<Row[]> {
    const { rows } = await this.send<Row & unknown[]>(name, {
      text,
      values: [...values],
      rowMode: 'array',
      types: AS_TEXT,
    });
    return rows;
  }

  protected send<Row extends QueryResultRow>(
    name: string | undefined,
    config: QueryConfig & { rowMode?: 'array' },
  ): Promise<QueryResult<Row>> {
    return this.connection().query<Row>(
      name === undefined ? config : { ...config, name: `${name}-${generation}` },
    );
  }
}

/** Does the work once more if it met a stale prepared statement. */
export async function withoutStale<T>(work: () => Promise<T>): Promise<T> {
  const prepared = generation;
  try {
    return await work();
  } catch (error) {
    if (!isStale(error)) throw error;
    // Of many that fail at once, only the first.
    if (generation === prepared) generation += 1;
    return work();
  }
}

/** Statements on the pool of the data source, without TypeORM's result mapping, for the hot path. */
@Injectable()
export class Sql extends Statements {
  constructor(@InjectDataSource() private readonly dataSource: DataSource) {
    super(() => this.pool);
  }

  protected override send<Row extends QueryResultRow>(
    ...statement: Parameters<Statements['send']>
  ): Promise<QueryResult<Row>> {
    return withoutStale(() => super.send<Row>(...statement));
  }

  /** @param work whose statements take effect together, or, when it throws, not at all; it may be done twice */
  transaction<T>(work: (statements: Statements) => Promise<T>): Promise<T> {
    return withoutStale(() => this.attempt(work));
  }

  private async attempt<T>(work: (statements: Statements) => Promise<T>): Promise<T> {
    const client = await this.pool.connect();
    let broken: Error | undefined;
    // The pool listens only to idle clients, and an error event without a listener would end the process. The current
    // or next statement fails anyway.
    const lost = (error: Error) => (broken = error);
    client.on('error', lost);
    try {
      await client.query('BEGIN');
      const result = await work(new Statements(() => client));
      await client.query('COMMIT');
      return result;
    } catch (error) {
      await client.query('ROLLBACK').catch((failure: unknown) => (broken = failure as Error));
      throw error;
    } finally {
      // A connection that could not roll back is removed from the pool.
      client.removeListener('error', lost);
      client.release(broken);
    }
  }

  /** State of the pool: connections, idle connections and waiting callers. */
  connections(): { readonly size: number; readonly idle: number; readonly waiting: number } {
    const { totalCount, idleCount, waitingCount } = this.pool;
    return { size: totalCount, idle: idleCount, waiting: waitingCount };
  }

  get pool(): Pool {
    return (this.dataSource.driver as unknown as { master: Pool }).master;
  }
}
