import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Client } from 'pg';
import { EntitySchema } from 'typeorm';
import { MigrationProject } from '../harness/database/migration-project.js';
import { until } from '../harness/until.js';

let project: MigrationProject;

beforeEach(async () => {
  project = await MigrationProject.create();
});
afterEach(() => project.remove());

const ID = { type: 'integer', primary: true, generated: 'identity' } as const;

function entity(columns: object, more: object = {}): EntitySchema {
  return new EntitySchema({ name: 'visits', columns: { id: ID, ...columns }, ...more } as never);
}

function rows<Row extends object>(columns: string): Promise<Row[]> {
  return project.database.query<Row>(`SELECT ${columns} FROM visits ORDER BY id`);
}

describe('a column of another type', () => {
  const before = entity(
    {
      city: { type: 'integer' },
      count: { type: 'integer', default: 5, comment: 'a day' },
    },
    {
      checks: [{ name: 'visits_count_check', expression: 'count >= 0' }],
      uniques: [{ name: 'visits_city_count_key', columns: ['city', 'count'] }],
      indices: [{ name: 'visits_count_idx', columns: ['count'], where: 'count > 3' }],
    },
  );
  const after = entity(
    {
      city: { type: 'integer' },
      count: { type: 'bigint', default: 6, comment: 'a day' },
    },
    {
      checks: [{ name: 'visits_count_check', expression: 'count >= 0' }],
      uniques: [{ name: 'visits_city_count_key', columns: ['city', 'count'] }],
      indices: [{ name: 'visits_count_idx', columns: ['count'], where: 'count > 3' }],
    },
  );

  it('is replaced step by step, and each step keeps what the release before writes', async () => {
    await project.migrate([before]);
    const catalog = await project.catalog();
    await project.database.query('INSERT INTO visits (city, count) VALUES (1, 1), (1, 2), (2, 2147483647)');
    const { migrations, questions } = await project.generate([after]);
    expect(questions).toEqual([]);
    expect(migrations.map(({ file }) => file.replace(/^\d+-/, ''))).toEqual([
      'EditExpand.ts',
      'EditBackfill.ts',
      'EditIndexes.ts',
      'EditConstraints.ts',
      'EditContract.ts',
    ]);
    const expected = ['1', '2', '2147483647'];
    for (const [index, migration] of migrations.entries()) {
      await project.apply([migration]);
      // As the release before does.
      await project.database.query('INSERT INTO visits (city, count) VALUES (3, $1)', [index]);
      await project.database.query('UPDATE visits SET count = count + 100 WHERE city = 3 AND count = $1', [
        index,
      ]);
      expected.push(String(100 + index));
      const counts = await rows<{ count: string | number }>('count');
      expect(counts.map(({ count }) => String(count))).toEqual(expected);
    }
    await project.database.query('INSERT INTO visits (city) VALUES (4)');
    expect((await rows<{ count: string }>('count')).at(-1)).toEqual({ count: '6' });
    await expect(project.database.query('INSERT INTO visits (city, count) VALUES (4, 6)')).rejects.toThrow(
      'visits_city_count_key',
    );
    await expect(project.database.query('INSERT INTO visits (city, count) VALUES (4, -6)')).rejects.toThrow(
      'visits_count_check',
    );
    expect(await project.generate([after])).toMatchObject({ migrations: [], questions: [] });

    await project.revert(migrations.length);
    expect(await project.catalog()).toEqual(catalog);
    const counts = await rows<{ count: number }>('count');
    expect(counts.map(({ count }) => String(count))).toEqual([...expected, '6']);
  });

  it('asks before it rewrites a table in one statement', async () => {
    const key = (type: string) =>
      new EntitySchema({ name: 'visits', columns: { id: { type, primary: true } } } as never);
    await project.migrate([key('integer')]);
    const asked = await project.generate([key('bigint')]);
    expect(asked.questions).toEqual([
      expect.objectContaining({
        text: expect.stringContaining('visits.id becomes bigint, and it belongs to the primary key'),
        choices: [expect.objectContaining({ flag: '--in-place visits.id' })],
      }),
    ]);
    const { migrations } = await project.migrate([key('bigint')], { 'in-place': ['visits.id'] });
    expect(migrations).toHaveLength(1);
    expect(migrations[0]?.source).toContain('ALTER TABLE visits ALTER COLUMN id TYPE bigint');
  });

  it('is altered in place where PostgreSQL rewrites nothing', async () => {
    const at = (type: string) => entity({ at: { type } });
    await project.migrate([at('timestamp')]);
    await project.database.query(`INSERT INTO visits (at) VALUES ('2026-03-01 12:00')`);
    const { migrations } = await project.migrate([at('timestamptz')]);
    expect(migrations).toHaveLength(1);
    expect(migrations[0]?.source).not.toContain('USING');
    expect(await rows('at')).toEqual([{ at: new Date('2026-03-01T12:00:00Z') }]);
  });
});

describe('a column of another name', () => {
  const visits = (name: string, more: object = {}) =>
    entity(
      { [name]: { type: 'varchar', length: 20, default: 'UTC', nullable: true, ...more } },
      { indices: [{ name: 'visits_zone_idx', columns: [name] }] },
    );

  it('keeps both names equal, whichever a release writes, until the old one is dropped', async () => {
    await project.migrate([visits('timezone')]);
    const catalog = await project.catalog();
    await project.database.query(`INSERT INTO visits (timezone) VALUES ('Europe/Rome'), (NULL), (DEFAULT)`);
    const { migrations, notes } = await project.migrate([visits('zone')], {
      rename: ['visits.timezone:zone'],
    });
    expect(notes).toEqual([expect.stringContaining('--drop visits.timezone')]);
    await project.database.query(`
      INSERT INTO visits (timezone, zone) VALUES
        ('Asia/Tokyo', DEFAULT), (NULL, DEFAULT), (DEFAULT, 'Africa/Lagos'), (DEFAULT, NULL), (DEFAULT, DEFAULT)`);
    const values = ['Europe/Rome', null, 'UTC', 'Asia/Tokyo', null, 'Africa/Lagos', null, 'UTC'];
    const both = (list: readonly (string | null)[]) =>
      list.map((value) => ({ timezone: value, zone: value }));
    expect(await rows('timezone, zone')).toEqual(both(values));
    await project.database.query(`UPDATE visits SET timezone = 'A' WHERE id = 1`);
    await project.database.query(`UPDATE visits SET zone = 'B' WHERE id = 2`);
    await project.database.query(`UPDATE visits SET zone = NULL WHERE id = 3`);
    await project.database.query(`UPDATE visits SET timezone = NULL WHERE id = 4`);
    values.splice(0, 4, 'A', 'B', null, null);
    expect(await rows('timezone, zone')).toEqual(both(values));

    expect(await project.generate([visits('zone')])).toMatchObject({ migrations: [], questions: [] });
    const { migrations: last } = await project.migrate([visits('zone')], { drop: ['visits.timezone'] });
    expect(last.map(({ source }) => source).join()).not.toContain('// lossy');
    expect(await rows('*')).toEqual(values.map((zone, index) => ({ id: index + 1, zone })));

    await project.revert(last.length);
    expect(await rows('timezone, zone')).toEqual(both(values));
    await project.revert(migrations.length);
    expect(await project.catalog()).toEqual(catalog);
    expect(await rows('*')).toEqual(values.map((timezone, index) => ({ id: index + 1, timezone })));
  });

  it('works for columns that are NOT NULL, unique, or without equality', async () => {
    const wide = (a: string, b: string, c: string) =>
      entity({
        [a]: { type: 'varchar', unique: true },
        [b]: { type: 'json', nullable: true },
        [c]: { type: 'timestamptz', default: () => 'now()' },
      });
    await project.migrate([wide('name', 'data', 'at')]);
    await project.database.query(`INSERT INTO visits (name, data) VALUES ('a', '{"a": 1}'), ('b', NULL)`);
    await project.migrate([wide('title', 'body', 'created')], {
      rename: ['visits.name:title', 'visits.data:body', 'visits.at:created'],
    });
    await project.database.query(`INSERT INTO visits (name, data) VALUES ('c', '[]')`);
    await project.database.query(`INSERT INTO visits (title, body) VALUES ('d', '{}')`);
    await project.database.query(`UPDATE visits SET body = '{"b": 2}' WHERE title = 'b'`);
    expect(await rows('name, title, data, body, at = created AS same')).toEqual([
      { name: 'a', title: 'a', data: { a: 1 }, body: { a: 1 }, same: true },
      { name: 'b', title: 'b', data: { b: 2 }, body: { b: 2 }, same: true },
      { name: 'c', title: 'c', data: [], body: [], same: true },
      { name: 'd', title: 'd', data: {}, body: {}, same: true },
    ]);
    await expect(project.database.query(`INSERT INTO visits (title) VALUES ('c')`)).rejects.toThrow('unique');
    await expect(project.database.query(`INSERT INTO visits (body) VALUES ('{}')`)).rejects.toThrow('null');
    const next = wide('title', 'body', 'created');
    expect(await project.generate([next])).toMatchObject({ migrations: [], questions: [] });
    await project.migrate([next], { drop: ['visits.name', 'visits.data', 'visits.at'] });
    await project.database.query(`INSERT INTO visits (title) VALUES ('e')`);
    expect((await rows<{ created: Date }>('created')).at(-1)?.created).toBeInstanceOf(Date);
  });

  it('is renamed in place with --in-place', async () => {
    await project.migrate([visits('timezone')]);
    const { migrations } = await project.migrate([visits('zone')], {
      rename: ['visits.timezone:zone'],
      'in-place': ['visits.timezone'],
    });
    expect(migrations.map(({ source }) => source).join()).toContain('RENAME COLUMN timezone TO "zone"');
    expect(await project.database.query(`SELECT FROM pg_trigger WHERE tgname LIKE 'zz_sync%'`)).toEqual([]);
  });

  it('refuses a name that no entity has', async () => {
    await project.migrate([visits('timezone')]);
    await expect(project.generate([visits('zone')], { rename: ['visits.timezone:zones'] })).rejects.toThrow(
      '--rename visits.timezone:zones: no entity has that field',
    );
  });
});

describe('the backfill', () => {
  const count = (type: string) => entity({ count: { type, nullable: true } });
  const ROWS = 20_000;

  it('goes on where it was killed, and leaves out rows in use until they are free', async () => {
    await project.migrate([count('integer')]);
    await project.database.query(`INSERT INTO visits (count) SELECT g FROM generate_series(1, ${ROWS}) g`);
    const { migrations } = await project.generate([count('bigint')]);
    const [expand, backfill, ...rest] = migrations;
    await project.apply([expand!]);

    const holder = new Client({ connectionString: project.database.url });
    await holder.connect();
    await holder.query('BEGIN');
    await holder.query('UPDATE visits SET count = 0 WHERE id = 7');
    const running = project.apply([backfill!]);
    const interrupted = expect(running).rejects.toThrow('terminat');
    const filled = () =>
      project.database.query<{ filled: number }>('SELECT count(count_new)::int AS filled FROM visits');
    await until('every row but one is filled', async () => (await filled())[0]?.filled === ROWS - 1);
    await project.database.query(`
      SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'DO %'`);
    await interrupted;
    await holder.query('ROLLBACK');
    await holder.end();

    await project.apply(rest);
    expect(await project.database.query('SELECT count(*)::int, sum(count)::text FROM visits')).toEqual([
      { count: ROWS, sum: String((ROWS * (ROWS + 1)) / 2) },
    ]);
  });
});
