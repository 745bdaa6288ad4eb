import { describe, expect, it } from '@jest/globals';
import type { QueryRunner } from 'typeorm';
import type { Migration } from '../migration.js';
import { checksumOf, recordStatements } from './recorded-statements.js';

const migration = (up: (runner: QueryRunner) => Promise<unknown>): Migration => ({
  up: async (runner) => {
    await up(runner);
  },
  down: (runner) => runner.query('DROP TABLE a'),
});

describe('recordStatements', () => {
  it('returns the statements of a direction with their parameters, in order', async () => {
    const recorded = migration(async (runner) => {
      await runner.query('CREATE TABLE a (id int)');
      await runner.query('INSERT INTO a VALUES ($1)', [1]);
    });
    expect(await recordStatements(recorded, 'up')).toEqual([
      { sql: 'CREATE TABLE a (id int)', parameters: [] },
      { sql: 'INSERT INTO a VALUES ($1)', parameters: [1] },
    ]);
    expect(await recordStatements(recorded, 'down')).toEqual([{ sql: 'DROP TABLE a', parameters: [] }]);
  });

  it('ends for a migration that loops forever', async () => {
    const endless = migration(async (runner) => {
      for (;;) await runner.query('UPDATE a SET b = 1');
    });
    expect((await recordStatements(endless, 'up')).length).toBe(1000);
  });

  it('returns no rows, and keeps the statements before a failure', async () => {
    const recorded = migration(async (runner) => {
      const [row] = (await runner.query('SELECT 1 AS one')) as [{ one: number }];
      await runner.query(`SELECT ${row.one}`);
    });
    expect(await recordStatements(recorded, 'up')).toEqual([{ sql: 'SELECT 1 AS one', parameters: [] }]);
  });
});

describe('checksumOf', () => {
  const sum = (sql: string, parameters?: unknown[]) =>
    checksumOf(migration((runner) => runner.query(sql, parameters)));

  it('does not change with white space', async () => {
    expect(await sum('ALTER TABLE a\n      ADD b int')).toBe(await sum('ALTER TABLE a ADD b int '));
  });

  it('changes with a statement, and with a parameter', async () => {
    expect(await sum('ALTER TABLE a ADD b int')).not.toBe(await sum('ALTER TABLE a ADD c int'));
    expect(await sum('SELECT $1', [1])).not.toBe(await sum('SELECT $1', [2]));
  });
});
