import { copyFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { Client } from 'pg';
import { createDatabaseIfMissing, startEphemeralCluster } from '../../scripts/postgres/embedded-postgres.js';
import { Backups, createFilledDatabase, fill, migrate } from '../harness/database/backups.js';
import { onServer, type TestDatabase } from '../harness/database/database.js';
import {
  describeWithOlderServer,
  describeWithPgDump,
  olderServer,
} from '../harness/servers/postgres-programs.js';
import { rowsOf } from '../harness/database/rows.js';
import { until } from '../harness/until.js';

/** Never changed: the tests copy from it. */
let filled: TestDatabase;
let backups: Backups;
beforeAll(async () => {
  filled = await createFilledDatabase();
});
afterAll(() => filled.drop());
beforeEach(async () => {
  backups = await Backups.create();
});
afterEach(() => backups.remove());

describeWithPgDump('scripts/restore', () => {
  /** Has the backup that the tests restore. */
  let source: Backups;
  let backup: string;
  let rows: Record<string, string[]>;

  beforeAll(async () => {
    rows = await rowsOf(filled.url);
    expect(rows['entries']).toHaveLength(400);
    source = await Backups.create();
    await source.run('backup', [], {}, filled.url);
  });
  afterAll(() => source.remove());
  beforeEach(() => {
    const [name = ''] = source.files();
    backup = join(backups.folder, name);
    copyFileSync(join(source.folder, name), backup);
  });

  it('restores every row into an empty database, with no migration pending', async () => {
    const { code, stdout } = await backups.run('restore', [backup]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/a backup of release \d+\.\d+\.\d+, newest migration \w+, from PostgreSQL \d+/);
    expect(stdout).toMatch(/rows: .*entries 400, .*users 5/);
    expect(await rowsOf(backups.database.url)).toEqual(rows);
    expect(await migrate(backups.database.url)).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('none pending'),
    });
  });

  it('creates a database that does not exist', async () => {
    await backups.database.drop();
    expect(await backups.run('restore', [backup])).toMatchObject({ code: 0 });
    expect(await rowsOf(backups.database.url)).toEqual(rows);
  });

  it('exits with 4 when the database is not empty, and changes nothing', async () => {
    await backups.copyFrom(filled);
    await backups.database.query(`UPDATE entries SET text = 'later'`);
    const later = await rowsOf(backups.database.url);
    const { code, stderr } = await backups.run('restore', [backup]);
    expect(code).toBe(4);
    expect(stderr).toContain('say --replace');
    expect(await rowsOf(backups.database.url)).toEqual(later);
  });

  it('replaces the database with --replace, keeps the old one, and disconnects its users', async () => {
    await backups.copyFrom(filled);
    await backups.database.query(`UPDATE entries SET text = 'later'`);
    const later = await rowsOf(backups.database.url);
    const user = new Client({ connectionString: backups.database.url });
    let ended = false;
    user.on('error', () => {}).on('end', () => (ended = true));
    await user.connect();
    const { code, stdout } = await backups.run('restore', ['--replace', backup]);
    expect(code).toBe(0);
    await until('the session is ended', () => ended);
    expect(await rowsOf(backups.database.url)).toEqual(rows);
    const url = new URL(backups.database.url);
    url.pathname = `/${/is kept as (\w+)/.exec(stdout)![1]!}`;
    expect(await rowsOf(url.href)).toEqual(later);
  });

  it('changes nothing when it fails halfway, and leaves nothing behind', async () => {
    await backups.copyFrom(filled);
    const failing = backups.replaceProgram(
      'pg_restore',
      `case "$*" in *--no-owner*) "$real" --section=pre-data "$@"; echo 'pg_restore: error: broken' >&2; exit 1 ;; esac
       exec "$real" "$@"`,
    );
    const { code, stderr } = await backups.run('restore', ['--replace', backup], failing);
    expect(code).toBe(1);
    expect(stderr).toContain(`the database ${backups.database.name} is as it was`);
    expect(await rowsOf(backups.database.url)).toEqual(rows);
    expect(
      await onServer('SELECT datname FROM pg_database WHERE datname LIKE $1', [
        `${backups.database.name}\\_%`,
      ]),
    ).toEqual([]);
  });

  it('changes nothing for a damaged backup', async () => {
    await backups.copyFrom(filled);
    truncateSync(backup, statSync(backup).size - 2000);
    expect(await backups.run('restore', ['--replace', backup])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('is damaged: nothing was done'),
    });
    expect(await rowsOf(backups.database.url)).toEqual(rows);
  });

  it('reports a file that is not a backup', async () => {
    writeFileSync(join(backups.folder, 'text.dump'), 'no dump');
    expect(await backups.run('restore', ['text.dump'])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('cannot be read'),
    });
    expect(await backups.run('restore', ['nothing.dump'])).toMatchObject({ code: 1 });
  });
});

describeWithOlderServer('an upgrade to a new major version of PostgreSQL', () => {
  it('restores every row of a backup of the older server', async () => {
    const cluster = await startEphemeralCluster({ binaries: olderServer! });
    try {
      const url = cluster.url(backups.database.name);
      await createDatabaseIfMissing(url);
      const query: TestDatabase['query'] = async <Row extends object>(text: string) => {
        const client = new Client({ connectionString: url });
        await client.connect();
        try {
          return (await client.query<Row>(text)).rows;
        } finally {
          await client.end();
        }
      };
      await fill({ url, query });
      const rows = await rowsOf(url);
      expect(await backups.run('backup', [], {}, url)).toMatchObject({ code: 0 });
      const { code, stdout } = await backups.run('restore', [backups.files()[0]!]);
      expect(code).toBe(0);
      expect(stdout).toContain(`from PostgreSQL ${cluster.version}`);
      expect(await rowsOf(backups.database.url)).toEqual(rows);
    } finally {
      await cluster.stop();
    }
  }, 60_000);
});
