import { spawn } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join, resolve } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Client } from 'pg';
import { startEphemeralCluster, createDatabaseIfMissing } from '../../scripts/embedded-postgres.js';
import { copyBuild, type BuildCopy } from '../harness/build-copy.js';
import { createDatabase, onServer, type TestDatabase } from '../harness/database.js';
import {
  describeWithOlderServer,
  describeWithPgDump,
  olderServer,
  postgresClient,
} from '../harness/postgres-programs.js';
import { Program } from '../harness/program.js';
import { copyProject } from '../harness/project-copy.js';
import { rowsOf } from '../harness/rows.js';
import { until } from '../harness/until.js';

const ROOT = resolve(import.meta.dirname, '../..');
const NEWEST = '[A-Za-z]+\\d{13}';
const NAME = new RegExp(`^test_[0-9a-f]+-\\d{8}T\\d{6}Z-release-\\d+\\.\\d+\\.\\d+-${NEWEST}\\.dump$`);

/** Never changed: others are copied from it. */
let filled: TestDatabase;
let database: TestDatabase;
let folder = '';
const others: TestDatabase[] = [];

beforeAll(async () => {
  filled = await createDatabase();
  await fill(filled);
});
afterAll(() => filled.drop());
beforeEach(async () => {
  database = await createDatabase();
  folder = mkdtempSync(join(tmpdir(), 'entries-backup-'));
});
afterEach(async () => {
  for (const other of others.splice(0)) await other.drop();
  // A restore keeps what it has replaced.
  for (const { name } of await onServer<{ name: string }>(
    `SELECT datname AS name FROM pg_database WHERE datname LIKE '${database.name}\\_%'`,
  )) {
    await onServer(`DROP DATABASE "${name}" WITH (FORCE)`);
  }
  await database.drop();
  rmSync(folder, { recursive: true, force: true });
});

/** Gives the database of this test a schema and rows. */
async function fillDatabase(): Promise<void> {
  await onServer(`DROP DATABASE ${database.name} WITH (FORCE)`);
  await onServer(`CREATE DATABASE ${database.name} TEMPLATE ${filled.name}`);
}

async function anotherDatabase(): Promise<TestDatabase> {
  const other = await createDatabase();
  others.push(other);
  return other;
}

/** libpq's settings, as the compose service has them. */
function libpq(url: string): Record<string, string> {
  const { hostname, port, username, password, pathname } = new URL(url);
  return {
    DATABASE_SETTINGS: 'libpq',
    PGHOST: hostname,
    PGPORT: port,
    PGUSER: decodeURIComponent(username),
    PGPASSWORD: decodeURIComponent(password),
    PGDATABASE: pathname.slice(1),
    BACKUP_FOLDER: folder,
  };
}

function start(
  script: string,
  args: readonly string[],
  environment: Readonly<Record<string, string>>,
): Program {
  const env = { PATH: [postgresClient, process.env['PATH']].join(delimiter), ...environment };
  return new Program(spawn(join(ROOT, 'scripts', script), args, { env, stdio: ['ignore', 'pipe', 'pipe'] }));
}

async function run(
  script: string,
  args: readonly string[] = [],
  environment: Readonly<Record<string, string>> = {},
  url = database.url,
) {
  const program = start(script, args, { ...libpq(url), ...environment });
  const { code } = await program.exited;
  return { code, stdout: program.stdout, stderr: program.stderr };
}

/** Puts a program of the same name before one of PostgreSQL's. `real` in its text is the one of PostgreSQL. */
function insteadOf(program: string, text: string): { PATH: string } {
  const bin = join(folder, 'bin');
  mkdirSync(bin, { recursive: true });
  writeFileSync(join(bin, program), `#!/bin/sh\nreal=${join(postgresClient!, program)}\n${text}\n`);
  chmodSync(join(bin, program), 0o755);
  return { PATH: [bin, postgresClient, process.env['PATH']].join(delimiter) };
}

const files = () =>
  readdirSync(folder)
    .filter((name) => name.endsWith('.dump'))
    .sort();
const leftovers = () => readdirSync(folder).filter((name) => name.endsWith('.part'));

async function migrate(url: string, build?: BuildCopy, environment: Readonly<Record<string, string>> = {}) {
  const program = new Program(
    spawn(
      process.execPath,
      [join(dirname(build?.program ?? process.env['TEST_PROGRAM']!), 'database/migrate.js'), 'up'],
      {
        env: {
          PATH: [postgresClient, process.env['PATH']].join(delimiter),
          NODE_ENV: 'test',
          DATABASE_URL: url,
          BACKUP_FOLDER: folder,
          ...environment,
        },
        stdio: ['ignore', 'pipe', 'pipe'],
      },
    ),
  );
  const { code } = await program.exited;
  return { code, stdout: program.stdout, stderr: program.stderr };
}

/** The schema, and rows that a careless copy would spoil. */
async function fill(empty: Pick<TestDatabase, 'url' | 'query'>): Promise<void> {
  expect(await migrate(empty.url)).toMatchObject({ code: 0 });
  await empty.query(
    `INSERT INTO users (id, email, password_hash)
     SELECT gen_random_uuid(), 'user' || n || '@example.org', 'hash' FROM generate_series(1, 5) n`,
  );
  await empty.query(
    `INSERT INTO entries (id, user_id, text, search_text, mood, tags)
     SELECT gen_random_uuid(), u.id, t.text || n, lower(t.text || n), 1 + n % 10, ARRAY['a "tag"', 'back\\slash', n::text]
       FROM users u, generate_series(1, 20) n,
            (VALUES (E'tab\\t, line\\n, \\\\. and \\\\N'), ('Grüße, 你好, 🙂'), (repeat('long ', 1000)), ('')) t (text)`,
  );
  await empty.query(
    `INSERT INTO sessions (id, user_id, refresh_token_hash, expires_at)
     SELECT gen_random_uuid(), id, '\\x00ff5c0a'::bytea, now() FROM users`,
  );
}

describeWithPgDump('scripts/backup', () => {
  it('writes one file, for its owner alone, named after database, time, release and newest migration', async () => {
    await fillDatabase();
    const { code, stdout } = await run('backup');
    expect(code).toBe(0);
    expect(files()).toEqual([expect.stringMatching(NAME)]);
    expect(stdout).toMatch(
      new RegExp(`${files()[0]} \\(\\d+ kB\\): release \\d+\\.\\d+\\.\\d+, migration ${NEWEST}`),
    );
    expect(statSync(join(folder, files()[0]!)).mode & 0o777).toBe(0o600);
    expect(leftovers()).toEqual([]);
  });

  it('takes the database from the configuration of the service, past the pooler', async () => {
    await fillDatabase();
    const project = copyProject();
    try {
      const password = join(folder, 'password');
      const url = new URL(database.url);
      writeFileSync(password, decodeURIComponent(url.password));
      const program = new Program(
        spawn(join(project.folder, 'scripts/backup'), ['--folder', folder], {
          env: {
            PATH: [postgresClient, process.env['PATH']].join(delimiter),
            NODE_ENV: 'test',
            DB_HOST: url.hostname,
            DB_PORT: url.port,
            DB_USER: url.username,
            DB_NAME: database.name,
            DB_PASSWORD_FILE: password,
            // Of somebody else.
            PGDATABASE: 'template1',
          },
          stdio: ['ignore', 'pipe', 'pipe'],
        }),
      );
      expect({ ...(await program.exited), stderr: program.stderr }).toEqual({
        code: 0,
        signal: null,
        stderr: '',
      });
      expect(files()).toEqual([expect.stringMatching(NAME)]);
    } finally {
      project.remove();
    }
  });

  it('exits 3 where there is no schema yet', async () => {
    expect(await run('backup')).toMatchObject({
      code: 3,
      stderr: expect.stringContaining('nothing to back up'),
    });
    expect(files()).toEqual([]);
  });

  it('exits 2 for what it does not know', async () => {
    expect(await run('backup', ['--keep', 'all'])).toMatchObject({ code: 2 });
    expect(await run('backup', ['--fast'])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('there is no --fast'),
    });
  });

  it('with a pg_dump older than the server: says which one is needed', async () => {
    const { code, stderr } = await run(
      'backup',
      [],
      insteadOf('pg_dump', 'echo "pg_dump (PostgreSQL) 9.6.24"'),
    );
    expect(code).toBe(1);
    expect(stderr).toMatch(/pg_dump is of PostgreSQL 9, and the server of (\d+): .*postgresql-client-\1/);
  });

  it('on a full disk: says so, keeps nothing of the new and all of the old, removes none', async () => {
    await fillDatabase();
    await run('backup');
    const before = files();
    const full = insteadOf(
      'pg_dump',
      `case $1 in --version) exec "$real" --version ;; esac
       for option; do case $option in --file=*) echo half >"\${option#--file=}" ;; esac; done
       echo 'pg_dump: error: could not write to output file: No space left on device' >&2; exit 1`,
    );
    const { code, stderr } = await run('backup', ['--keep', '1'], full);
    expect(code).toBe(1);
    expect(stderr).toMatch(/the disk of .* is full \(\d+ MB are free\)/);
    expect(files()).toEqual(before);
    expect(leftovers()).toEqual([]);
  });

  it('reads the backup from end to end before it counts: one cut short is not kept', async () => {
    await fillDatabase();
    const cut = insteadOf(
      'pg_dump',
      `"$real" "$@" || exit 1
       for option; do case $option in --file=*) truncate --size=-2000 "\${option#--file=}" ;; esac; done`,
    );
    const { code, stderr } = await run('backup', ['--keep', '1'], cut);
    expect(code).toBe(1);
    expect(stderr).toContain('the backup cannot be read again');
    expect(files()).toEqual([]);
  });

  describe('--keep-days and --keep', () => {
    const named = (time: string, kind: string) => `${database.name}-${time}-${kind}-Some1700000000000.dump`;
    const put = (time: string, kind = 'release-0.1.0') => writeFileSync(join(folder, named(time, kind)), '');

    beforeEach(fillDatabase);

    it('removes what is older, but not what is from before a migration, nor of another database', async () => {
      put('20200101T000000Z');
      put('20200101T000000Z', 'before-0.2.0');
      writeFileSync(join(folder, `${database.name}-more-20200101T000000Z-release-0.1.0-Some17.dump`), '');
      const { stdout } = await run('backup', ['--keep-days', '7']);
      expect(stdout).toContain(`removed ${named('20200101T000000Z', 'release-0.1.0')}`);
      expect(files()).toEqual([
        named('20200101T000000Z', 'before-0.2.0'),
        expect.stringMatching(NAME),
        `${database.name}-more-20200101T000000Z-release-0.1.0-Some17.dump`,
      ]);
    });

    it('with both: the newest stay whatever their age', async () => {
      for (const year of [2018, 2019, 2020]) put(`${year}0101T000000Z`);
      await run('backup', ['--keep-days', '7', '--keep', '3']);
      expect(files().map((file) => file.split('-')[1]!.slice(0, 4))).toEqual([
        '2019',
        '2020',
        expect.stringMatching(/^20/),
      ]);
    });

    it('--keep-days 0 leaves the one just made', async () => {
      put('20200101T000000Z');
      await run('backup', ['--keep-days', '0']);
      expect(files()).toEqual([expect.stringMatching(NAME)]);
    });
  });
});

describeWithPgDump('scripts/restore', () => {
  let kept: string;
  let backup: string;
  let rows: Record<string, string[]>;

  beforeAll(async () => {
    rows = await rowsOf(filled.url);
    expect(rows['entries']).toHaveLength(400);
    kept = mkdtempSync(join(tmpdir(), 'entries-backup-'));
    await run('backup', ['--folder', kept], {}, filled.url);
  });
  afterAll(() => rmSync(kept, { recursive: true, force: true }));
  beforeEach(() => {
    const [name = ''] = readdirSync(kept);
    backup = join(folder, name);
    copyFileSync(join(kept, name), backup);
  });

  it('into an empty database: every row is there again, and no migration is pending', async () => {
    const { code, stdout } = await run('restore', [backup]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/a backup of release \d+\.\d+\.\d+, newest migration \w+, from PostgreSQL \d+/);
    expect(stdout).toMatch(/rows: entries 400, .*users 5/);
    expect(await rowsOf(database.url)).toEqual(rows);
    expect(await migrate(database.url)).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('none pending'),
    });
  });

  it('into a database that does not exist: makes it', async () => {
    await database.drop();
    expect(await run('restore', [backup])).toMatchObject({ code: 0 });
    expect(await rowsOf(database.url)).toEqual(rows);
  });

  it('into one that is not empty: exits 4, and changes nothing', async () => {
    await fillDatabase();
    await database.query(`UPDATE entries SET text = 'later'`);
    const later = await rowsOf(database.url);
    const { code, stderr } = await run('restore', [backup]);
    expect(code).toBe(4);
    expect(stderr).toContain('say --replace');
    expect(await rowsOf(database.url)).toEqual(later);
  });

  it('--replace: takes the place of what was there, which is kept, and sends its users out', async () => {
    await fillDatabase();
    await database.query(`UPDATE entries SET text = 'later'`);
    const later = await rowsOf(database.url);
    const user = new Client({ connectionString: database.url });
    let ended = false;
    user.on('error', () => {}).on('end', () => (ended = true));
    await user.connect();
    const { code, stdout } = await run('restore', ['--replace', backup]);
    expect(code).toBe(0);
    await until('the session is ended', () => ended);
    expect(await rowsOf(database.url)).toEqual(rows);
    const url = new URL(database.url);
    url.pathname = `/${/is kept as (\w+)/.exec(stdout)![1]!}`;
    expect(await rowsOf(url.href)).toEqual(later);
  });

  it('that fails half-way: the database is as it was, and nothing is left beside it', async () => {
    await fillDatabase();
    const failing = insteadOf(
      'pg_restore',
      `case "$*" in *--dbname=*) "$real" --section=pre-data "$@"; echo 'pg_restore: error: broken' >&2; exit 1 ;; esac
       exec "$real" "$@"`,
    );
    const { code, stderr } = await run('restore', ['--replace', backup], failing);
    expect(code).toBe(1);
    expect(stderr).toContain(`the database ${database.name} is as it was`);
    expect(await rowsOf(database.url)).toEqual(rows);
    expect(
      await onServer('SELECT datname FROM pg_database WHERE datname LIKE $1', [`${database.name}\\_%`]),
    ).toEqual([]);
  });

  it('of a damaged backup: does nothing', async () => {
    await fillDatabase();
    truncateSync(backup, statSync(backup).size - 2000);
    expect(await run('restore', ['--replace', backup])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('is damaged: nothing was done'),
    });
    expect(await rowsOf(database.url)).toEqual(rows);
  });

  it('of a file that is none: says so', async () => {
    writeFileSync(join(folder, 'text.dump'), 'no dump');
    expect(await run('restore', ['text.dump'])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('cannot be read'),
    });
    expect(await run('restore', ['nothing.dump'])).toMatchObject({ code: 1 });
  });
});

describeWithOlderServer('a new major version of PostgreSQL', () => {
  it('a backup from the server before it, restored into the new one: row by row the same', async () => {
    const cluster = await startEphemeralCluster(olderServer);
    try {
      const url = cluster.url(database.name);
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
      expect(await run('backup', [], {}, url)).toMatchObject({ code: 0 });
      const { code, stdout } = await run('restore', [files()[0]!]);
      expect(code).toBe(0);
      expect(stdout).toContain(`from PostgreSQL ${cluster.version}`);
      expect(await rowsOf(database.url)).toEqual(rows);
    } finally {
      await cluster.stop();
    }
  }, 60_000);
});

describeWithPgDump('MIGRATIONS_BACKUP=true', () => {
  const ON = { MIGRATIONS_BACKUP: 'true' };
  const PENDING = {
    '9000000000001-DropTexts': `
      async up(runner) { await runner.query("UPDATE entries SET text = 'gone'"); }
      async down() {}`,
  };
  /** As on a bare machine, where the scripts are beside it; and as in the image, where they are not. */
  let build: BuildCopy;
  let bundle: BuildCopy;

  beforeAll(() => {
    build = copyBuild(PENDING, undefined, process.env['TEST_BUILD']);
    bundle = copyBuild(PENDING);
  });
  afterAll(() => {
    build.remove();
    bundle.remove();
  });

  it('an empty database is migrated without', async () => {
    expect(await migrate(database.url, undefined, ON)).toMatchObject({ code: 0 });
    expect(files()).toEqual([]);
  });

  it('what is pending is applied after a backup that is named after the release', async () => {
    await fillDatabase();
    const rows = await rowsOf(database.url);
    const { code, stderr } = await migrate(database.url, build, ON);
    expect({ code, stderr }).toEqual({ code: 0, stderr: expect.stringContaining('migrations: backup: ') });
    expect(files()).toEqual([expect.stringMatching(/-before-\d+\.\d+\.\d+-\w+\.dump$/)]);
    const fresh = await anotherDatabase();
    expect(await run('restore', files(), {}, fresh.url)).toMatchObject({ code: 0 });
    // But for the table that keeps the history of migrations, all is as before the migration.
    expect(await rowsOf(fresh.url)).toEqual(rows);
    // Nothing is pending any more.
    expect(await migrate(database.url, build, ON)).toMatchObject({ code: 0 });
    expect(files()).toHaveLength(1);
  });

  it('without a backup nothing is migrated', async () => {
    await fillDatabase();
    const rows = await rowsOf(database.url);
    const { code, stderr } = await migrate(database.url, build, {
      ...ON,
      BACKUP_FOLDER: '/dev/null/backups',
    });
    expect(code).toBe(1);
    expect(stderr).toContain('Nothing was migrated, because the backup failed');
    expect(stderr).toContain('the folder /dev/null/backups cannot be made');
    expect(await rowsOf(database.url)).toEqual(rows);
  });

  it('in the image, which has no pg_dump: refuses to migrate, and says what to do', async () => {
    await fillDatabase();
    const rows = await rowsOf(database.url);
    const { code, stderr } = await migrate(database.url, bundle, ON);
    expect(code).toBe(1);
    expect(stderr).toMatch(/Nothing was migrated.*no pg_dump: run scripts\/backup/);
    expect(await rowsOf(database.url)).toEqual(rows);
  });
});

describeWithPgDump('scripts/backup-before-migrations', () => {
  const PENDING = '9000000000001-DropTexts.ts';
  let migrations: string;

  beforeEach(() => {
    migrations = join(folder, 'migrations');
    cpSync(join(ROOT, 'src/database/migrations'), migrations, { recursive: true });
  });

  const runBefore = (environment: Readonly<Record<string, string>> = {}) =>
    run('backup-before-migrations', [], {
      MIGRATIONS_BACKUP: 'true',
      MIGRATIONS_FOLDER: migrations,
      RELEASE_FILE: join(ROOT, 'package.json'),
      ...environment,
    });

  it('makes a backup named after the release when a migration is pending', async () => {
    await fillDatabase();
    writeFileSync(join(migrations, PENDING), '');
    expect(await runBefore()).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('1 migrations are pending'),
    });
    expect(files()).toEqual([expect.stringMatching(/-before-\d+\.\d+\.\d+-\w+\.dump$/)]);
  });

  it('makes none when no migration is pending', async () => {
    await fillDatabase();
    expect(await runBefore()).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('no migration is pending'),
    });
    expect(files()).toEqual([]);
  });

  it('makes none for an empty database', async () => {
    expect(await runBefore()).toMatchObject({ code: 0, stdout: expect.stringContaining('no schema yet') });
    expect(files()).toEqual([]);
  });

  it('makes none without MIGRATIONS_BACKUP, and does not connect', async () => {
    expect(await runBefore({ MIGRATIONS_BACKUP: 'false', PGHOST: 'nowhere.invalid' })).toMatchObject({
      code: 0,
    });
  });

  it.each([
    ['the backup fails', { BACKUP_FOLDER: '/dev/null/backups' }, 'the folder /dev/null/backups cannot be'],
    ['the database is unreachable', { PGHOST: '127.0.0.1', PGPORT: '1' }, 'cannot reach the database'],
    ['the folder has no migrations', { MIGRATIONS_FOLDER: '/var/empty' }, 'no migrations found'],
    ['MIGRATIONS_BACKUP is invalid', { MIGRATIONS_BACKUP: 'maybe' }, 'must be true or false'],
  ])('exits 1 when %s, so that compose does not start the app', async (_, environment, reason) => {
    await fillDatabase();
    writeFileSync(join(migrations, PENDING), '');
    expect(await runBefore(environment)).toMatchObject({ code: 1, stderr: expect.stringContaining(reason) });
    expect(files()).toEqual([]);
  });
});

describeWithPgDump('scripts/backup-service', () => {
  let service: Program | undefined;
  afterEach(() => service?.stop());

  const health = (state: string) => run('backup-service', ['--health'], { BACKUP_STATE: state });

  function serve(environment: Readonly<Record<string, string>> = {}) {
    const state = mkdtempSync(join(folder, 'state-'));
    service = start('backup-service', [], { ...libpq(database.url), BACKUP_STATE: state, ...environment });
    return state;
  }
  const oneFile = () => until('a backup', () => files().length === 1);

  it('makes one at its first start, and then one a day, also when it was not there at that time', async () => {
    await fillDatabase();
    const state = serve();
    await oneFile();
    await until('it is healthy', async () => (await health(state)).code === 0);
    const [first] = files();
    // As if that had been long ago; it goes with the next, being old and not among the newest.
    renameSync(join(folder, first!), join(folder, first!.replace(/-\d{8}T/, '-20200101T')));
    await until('another', () => files().some((file) => !file.includes('-20200101T')));
    expect(await health(state)).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('the newest backup is of'),
    });
    // No third one, as it is not yet that time again.
    expect(files()).toHaveLength(2);
  });

  it('has nothing to do on an empty database, and that is healthy', async () => {
    const state = serve();
    await until('it has looked', () => readdirSync(state).includes('backup-empty'));
    expect(await health(state)).toMatchObject({ code: 0, stdout: expect.stringContaining('no schema yet') });
  });

  it('is unhealthy after a backup that failed, and says why', async () => {
    await fillDatabase();
    const state = serve({ PGPASSWORD: 'wrong', PGDATABASE: 'no_such_database' });
    await until('it fails', async () => (await health(state)).stderr.includes('the last backup failed'));
    expect(await health(state)).toMatchObject({ code: 1 });
  });

  it('is unhealthy when the newest backup is older than a day', async () => {
    const state = mkdtempSync(join(folder, 'state-'));
    writeFileSync(join(folder, `${database.name}-20200101T000000Z-release-0.1.0-Some1700000000000.dump`), '');
    expect(await health(state)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('the newest backup is of 20200101T000000Z'),
    });
  });

  it('refuses a BACKUP_TIME that is no time of day', async () => {
    expect(await run('backup-service', [], { BACKUP_TIME: '3 am' })).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('BACKUP_TIME=3 am must be a time of day'),
    });
  });

  it('ends at once at SIGTERM', async () => {
    serve();
    await service!.said(/daily at 03:00 UTC/);
    expect(await service!.stop()).toEqual({ code: 0, signal: null });
  });
});
