import { describe, expect, it } from '@jest/globals';
import type { QueryRunner } from 'typeorm';
import { resumable } from './concurrent-index.js';

/** A query runner that answers what it is asked about an index, and keeps what it is sent beyond that. */
function runnerWhere(validity: Readonly<Record<string, boolean>>) {
  const sent: string[] = [];
  const runner = {
    query: (sql: string, parameters: unknown[] = []) => {
      if (sql.includes('pg_index')) {
        const valid = validity[String(parameters[0])];
        return Promise.resolve(valid === undefined ? [] : [{ valid }]);
      }
      sent.push(sql);
      return Promise.resolve([]);
    },
  } as unknown as QueryRunner;
  return { runner: resumable(runner, () => {}), sent };
}

describe('resumable', () => {
  const CREATE = 'CREATE INDEX CONCURRENTLY "i" ON "entries" ("mood")';

  it('builds an index that does not exist', async () => {
    const { runner, sent } = runnerWhere({});
    await runner.query(CREATE);
    expect(sent).toEqual([CREATE]);
  });

  it('keeps a valid index', async () => {
    const { runner, sent } = runnerWhere({ '"i"': true });
    await runner.query(CREATE);
    expect(sent).toEqual([]);
  });

  it.each([
    ['as generated', '\n            CREATE INDEX CONCURRENTLY "i" ON "entries" ("mood")', '"i"'],
    ['after comments', '-- why\n/* and\nhow */ create unique index concurrently i on entries (mood)', 'i'],
    ['if not exists', 'CREATE INDEX CONCURRENTLY IF NOT EXISTS "i" ON "entries" ("mood")', '"i"'],
    [
      'on a table of another schema',
      'CREATE INDEX CONCURRENTLY "i" ON "other"."entries" ("mood")',
      '"other"."i"',
    ],
    ['with a quote in its name', 'CREATE INDEX CONCURRENTLY "a ""b""" ON ONLY entries (mood)', '"a ""b"""'],
  ])('drops and rebuilds an invalid index: %s', async (_what, create, name) => {
    const { runner, sent } = runnerWhere({ [name]: false });
    await runner.query(create);
    expect(sent).toEqual([`DROP INDEX CONCURRENTLY IF EXISTS ${name}`, create]);
  });

  it('does not drop an index that does not exist', async () => {
    const drop = 'DROP INDEX CONCURRENTLY "public"."i"';
    const gone = runnerWhere({});
    await gone.runner.query(drop);
    expect(gone.sent).toEqual([]);
    const there = runnerWhere({ '"public"."i"': true });
    await there.runner.query(drop);
    expect(there.sent).toEqual([drop]);
  });

  it('sends other statements unchanged', async () => {
    const { runner, sent } = runnerWhere({ '"i"': true });
    await runner.query('CREATE INDEX "i" ON "entries" ("mood")');
    expect(sent).toEqual(['CREATE INDEX "i" ON "entries" ("mood")']);
  });
});
