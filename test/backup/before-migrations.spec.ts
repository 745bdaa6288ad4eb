import { cpSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { BACKUP_BEFORE_NAME, Backups, createFilledDatabase, migrate } from '../harness/database/backups.js';
import { copyBuild, type BuildCopy } from '../harness/programs/build-copy.js';
import type { TestDatabase } from '../harness/database/database.js';
import { describeWithPgDump } from '../harness/servers/postgres-programs.js';
import { rowsOf } from '../harness/database/rows.js';

const ROOT = resolve(import.meta.dirname, '../..');

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

describeWithPgDump('MIGRATIONS_BACKUP=true', () => {
  const migrateWithBackup = (build?: BuildCopy, environment: Readonly<Record<string, string>> = {}) =>
    migrate(backups.database.url, build, {
      MIGRATIONS_BACKUP: 'true',
      BACKUP_FOLDER: backups.folder,
      ...environment,
    });
  const PENDING = {
    '9000000000001-DropTexts': `
      async up(runner) { await runner.query("UPDATE entries SET text = 'gone'"); }
      async down() {}`,
  };
  /** `build` has the scripts next to it, as on a machine; `bundle` has not, as in the image. */
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

  it('makes no backup of an empty database', async () => {
    expect(await migrateWithBackup()).toMatchObject({ code: 0 });
    expect(backups.files()).toEqual([]);
  });

  it('applies pending migrations after a backup that is named after the release', async () => {
    await backups.copyFrom(filled);
    const rows = await rowsOf(backups.database.url);
    const { code, stderr } = await migrateWithBackup(build);
    expect({ code, stderr }).toEqual({ code: 0, stderr: expect.stringContaining('migrations: backup: ') });
    expect(backups.files()).toEqual([expect.stringMatching(BACKUP_BEFORE_NAME)]);
    const fresh = await backups.anotherDatabase();
    expect(await backups.run('restore', backups.files(), {}, fresh.url)).toMatchObject({ code: 0 });
    // The database is as it was before the migration.
    expect(await rowsOf(fresh.url)).toEqual(rows);
    // Nothing is pending now.
    expect(await migrateWithBackup(build)).toMatchObject({ code: 0 });
    expect(backups.files()).toHaveLength(1);
  });

  it('migrates nothing when the backup fails', async () => {
    await backups.copyFrom(filled);
    const rows = await rowsOf(backups.database.url);
    const { code, stderr } = await migrateWithBackup(build, { BACKUP_FOLDER: '/dev/null/backups' });
    expect(code).toBe(1);
    expect(stderr).toContain('Nothing was migrated, because the backup failed');
    expect(stderr).toContain('the folder /dev/null/backups cannot be made');
    expect(await rowsOf(backups.database.url)).toEqual(rows);
  });

  it('refuses to migrate in the image, which has no pg_dump, with instructions', async () => {
    await backups.copyFrom(filled);
    const rows = await rowsOf(backups.database.url);
    const { code, stderr } = await migrateWithBackup(bundle);
    expect(code).toBe(1);
    expect(stderr).toMatch(/Nothing was migrated.*no pg_dump: run scripts\/backup/);
    expect(await rowsOf(backups.database.url)).toEqual(rows);
  });
});

describeWithPgDump('scripts/backup-before-migrations', () => {
  const PENDING = '9000000000001-DropTexts.ts';
  let migrations: string;

  beforeEach(() => {
    migrations = join(backups.folder, 'migrations');
    cpSync(join(ROOT, 'src/database/migrations'), migrations, { recursive: true });
  });

  const runBefore = (environment: Readonly<Record<string, string>> = {}) =>
    backups.run('backup-before-migrations', [], {
      MIGRATIONS_BACKUP: 'true',
      MIGRATIONS_FOLDER: migrations,
      RELEASE_FILE: join(ROOT, 'package.json'),
      ...environment,
    });

  it('makes a backup named after the release when a migration is pending', async () => {
    await backups.copyFrom(filled);
    writeFileSync(join(migrations, PENDING), '');
    expect(await runBefore()).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('1 migrations are pending'),
    });
    expect(backups.files()).toEqual([expect.stringMatching(BACKUP_BEFORE_NAME)]);
  });

  it('makes no backup if no migration is pending', async () => {
    await backups.copyFrom(filled);
    expect(await runBefore()).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('no migration is pending'),
    });
    expect(backups.files()).toEqual([]);
  });

  it('makes no backup of an empty database', async () => {
    expect(await runBefore()).toMatchObject({ code: 0, stdout: expect.stringContaining('no schema yet') });
    expect(backups.files()).toEqual([]);
  });

  it('makes no backup without MIGRATIONS_BACKUP, and does not connect', async () => {
    expect(await runBefore({ MIGRATIONS_BACKUP: 'false', PGHOST: 'nowhere.invalid' })).toMatchObject({
      code: 0,
    });
  });

  it.each([
    ['the backup fails', { BACKUP_FOLDER: '/dev/null/backups' }, 'the folder /dev/null/backups cannot be'],
    ['the database is unreachable', { PGHOST: '127.0.0.1', PGPORT: '1' }, 'cannot reach the database'],
    ['the folder has no migrations', { MIGRATIONS_FOLDER: '/var/empty' }, 'no migrations found'],
    ['MIGRATIONS_BACKUP is invalid', { MIGRATIONS_BACKUP: 'maybe' }, 'must be true or false'],
  ])('exits with 1 when %s, so that compose does not start the app', async (_, environment, reason) => {
    await backups.copyFrom(filled);
    writeFileSync(join(migrations, PENDING), '');
    expect(await runBefore(environment)).toMatchObject({ code: 1, stderr: expect.stringContaining(reason) });
    expect(backups.files()).toEqual([]);
  });
});
