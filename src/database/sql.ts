import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import type { Pool, QueryResult, QueryResultRow } from 'pg';
import { DataSource } from 'typeorm';

/**
 * Statements on the data source's own pool, past TypeORM's result mapping, for the hot path. One with a name is
 * prepared: PostgreSQL parses it once a connection. A name belongs to one text.
 */
@Injectable()
export class Sql {
  constructor(@InjectDataSource() private readonly dataSource: DataSource) {}

  query<Row extends QueryResultRow>(
    name: string | undefined,
    text: string,
    values: readonly unknown[],
  ): Promise<QueryResult<Row>> {
    return this.pool.query<Row>({ ...(name !== undefined && { name }), text, values: [...values] });
  }

  /** Rows as arrays of columns, in the order of the select list. */
  async queryArrays<Row extends unknown[]>(
    name: string | undefined,
    text: string,
    values: readonly unknown[],
  ): Promise<Row[]> {
    const { rows } = await this.pool.query<Row>({
      ...(name !== undefined && { name }),
      text,
      values: [...values],
      rowMode: 'array',
    });
    return rows;
  }

  private get pool(): Pool {
    return (this.dataSource.driver as unknown as { master: Pool }).master;
  }
}
