import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { BACKUP_NAME, BACKUP_SUMMARY, Backups, createFilledDatabase } from '../harness/database/backups.js';
import type { TestDatabase } from '../harness/database/database.js';
import { describeWithPgDump, postgresClient } from '../harness/servers/postgres-programs.js';
import { Program } from '../harness/programs/program.js';
import { copyProject } from '../harness/programs/project-copy.js';
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

describeWithPgDump('scripts/backup', () => {
  it('writes one file, readable by its owner only, named after database, time, release and newest migration', async () => {
    await backups.copyFrom(filled);
    const { code, stdout } = await backups.run('backup');
    expect(code).toBe(0);
    expect(backups.files()).toEqual([expect.stringMatching(BACKUP_NAME)]);
    expect(stdout).toMatch(new RegExp(`${backups.files()[0]} \\(\\d+ kB\\): ${BACKUP_SUMMARY}`));
    expect(statSync(join(backups.folder, backups.files()[0]!)).mode & 0o777).toBe(0o600);
    expect(backups.unfinished()).toEqual([]);
  });

  it('finds the database by the configuration of the service, not through the pooler', async () => {
    await backups.copyFrom(filled);
    const project = copyProject();
    try {
      const password = join(backups.folder, 'password');
      const url = new URL(backups.database.url);
      writeFileSync(password, decodeURIComponent(url.password));
      const program = new Program(
        spawn(join(project.folder, 'scripts/backup'), ['--folder', backups.folder], {
          env: {
            PATH: [postgresClient, process.env['PATH']].join(delimiter),
            NODE_ENV: 'test',
            DB_HOST: url.hostname,
            DB_PORT: url.port,
            DB_USER: url.username,
            DB_NAME: backups.database.name,
            DB_PASSWORD_FILE: password,
            // Belongs to another program.
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
      expect(backups.files()).toEqual([expect.stringMatching(BACKUP_NAME)]);
    } finally {
      project.remove();
    }
  });

  it('exits 3 without a schema', async () => {
    expect(await backups.run('backup')).toMatchObject({
      code: 3,
      stderr: expect.stringContaining('nothing to back up'),
    });
    expect(backups.files()).toEqual([]);
  });

  it('exits with 2 for an unknown option', async () => {
    expect(await backups.run('backup', ['--keep', 'all'])).toMatchObject({ code: 2 });
    expect(await backups.run('backup', ['--fast'])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('there is no --fast'),
    });
  });

  it('names the pg_dump that it needs when the installed one is older than the server', async () => {
    const { code, stderr } = await backups.run(
      'backup',
      [],
      backups.replaceProgram('pg_dump', 'echo "pg_dump (PostgreSQL) 9.6.24"'),
    );
    expect(code).toBe(1);
    expect(stderr).toMatch(/pg_dump is of PostgreSQL 9, and the server of (\d+): .*postgresql-client-\1/);
  });

  it('reports a full disk, removes the unfinished backup and keeps the old ones', async () => {
    await backups.copyFrom(filled);
    await backups.run('backup');
    const before = backups.files();
    const full = backups.replaceProgram(
      'pg_dump',
      `case $1 in --version) exec "$real" --version ;; esac
       for option; do case $option in --file=*) echo half >"\${option#--file=}" ;; esac; done
       echo 'pg_dump: error: could not write to output file: No space left on device' >&2; exit 1`,
    );
    const { code, stderr } = await backups.run('backup', ['--keep', '1'], full);
    expect(code).toBe(1);
    expect(stderr).toMatch(/the disk of .* is full \(\d+ MB are free\)/);
    expect(backups.files()).toEqual(before);
    expect(backups.unfinished()).toEqual([]);
  });

  it('reads the whole backup, and deletes it when it is truncated', async () => {
    await backups.copyFrom(filled);
    const cut = backups.replaceProgram(
      'pg_dump',
      `"$real" "$@" || exit 1
       for option; do case $option in --file=*) truncate --size=-2000 "\${option#--file=}" ;; esac; done`,
    );
    const { code, stderr } = await backups.run('backup', ['--keep', '1'], cut);
    expect(code).toBe(1);
    expect(stderr).toContain('the backup cannot be read again');
    expect(backups.files()).toEqual([]);
  });

  describe('--keep-days and --keep', () => {
    const named = (time: string, kind: string) =>
      `${backups.database.name}-${time}-${kind}-Some1700000000000.dump`;
    const put = (time: string, kind = 'release-0.1.0') =>
      writeFileSync(join(backups.folder, named(time, kind)), '');

    beforeEach(() => backups.copyFrom(filled));

    it('remove older backups, but none from before a migration and none of another database', async () => {
      put('20200101T000000Z');
      put('20200101T000000Z', 'before-0.2.0');
      writeFileSync(
        join(backups.folder, `${backups.database.name}-more-20200101T000000Z-release-0.1.0-Some17.dump`),
        '',
      );
      const { stdout } = await backups.run('backup', ['--keep-days', '7']);
      expect(stdout).toContain(`removed ${named('20200101T000000Z', 'release-0.1.0')}`);
      expect(backups.files()).toEqual([
        named('20200101T000000Z', 'before-0.2.0'),
        expect.stringMatching(BACKUP_NAME),
        `${backups.database.name}-more-20200101T000000Z-release-0.1.0-Some17.dump`,
      ]);
    });

    it('keep the newest backups, whatever their age, with both options', async () => {
      for (const year of [2018, 2019, 2020]) put(`${year}0101T000000Z`);
      await backups.run('backup', ['--keep-days', '7', '--keep', '3']);
      expect(backups.files().map((file) => file.split('-')[1]!.slice(0, 4))).toEqual([
        '2019',
        '2020',
        expect.stringMatching(/^20/),
      ]);
    });

    it('keep the new backup with --keep-days 0', async () => {
      put('20200101T000000Z');
      await backups.run('backup', ['--keep-days', '0']);
      expect(backups.files()).toEqual([expect.stringMatching(BACKUP_NAME)]);
    });
  });
});

describeWithPgDump('scripts/backup-service', () => {
  let service: Program | undefined;
  afterEach(() => service?.stop());

  const health = (state: string) => backups.run('backup-service', ['--health'], { BACKUP_STATE: state });

  function serve(environment: Readonly<Record<string, string>> = {}) {
    const state = mkdtempSync(join(backups.folder, 'state-'));
    service = backups.start('backup-service', [], {
      ...backups.settings(),
      BACKUP_STATE: state,
      ...environment,
    });
    return state;
  }
  const oneFile = () => until('a backup', () => backups.files().length === 1);

  it('makes a backup at its first start, then one a day, also after it was stopped at that time', async () => {
    await backups.copyFrom(filled);
    const state = serve();
    await oneFile();
    await until('it is healthy', async () => (await health(state)).code === 0);
    const [first] = backups.files();
    // As if it was made long ago. The next run deletes it, because it is old and not among the newest.
    renameSync(join(backups.folder, first!), join(backups.folder, first!.replace(/-\d{8}T/, '-20200101T')));
    await until('another', () => backups.files().some((file) => !file.includes('-20200101T')));
    expect(await health(state)).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('the newest backup is of'),
    });
    // No third one: the next is due tomorrow.
    expect(backups.files()).toHaveLength(2);
  });

  it('is healthy on an empty database, which it does not back up', async () => {
    const state = serve();
    await until('it has looked', () => readdirSync(state).includes('backup-empty'));
    expect(await health(state)).toMatchObject({ code: 0, stdout: expect.stringContaining('no schema yet') });
  });

  it('is unhealthy after a failed backup, with the reason', async () => {
    await backups.copyFrom(filled);
    const state = serve({ PGPASSWORD: 'wrong', PGDATABASE: 'no_such_database' });
    await until('it fails', async () => (await health(state)).stderr.includes('the last backup failed'));
    expect(await health(state)).toMatchObject({ code: 1 });
  });

  it('is unhealthy when the newest backup is older than a day', async () => {
    const state = mkdtempSync(join(backups.folder, 'state-'));
    writeFileSync(
      join(backups.folder, `${backups.database.name}-20200101T000000Z-release-0.1.0-Some1700000000000.dump`),
      '',
    );
    expect(await health(state)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('the newest backup is of 20200101T000000Z'),
    });
  });

  it('rejects a BACKUP_TIME that is not a time of day', async () => {
    expect(await backups.run('backup-service', [], { BACKUP_TIME: '3 am' })).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('BACKUP_TIME=3 am must be a time of day'),
    });
  });

  it('exits at once on SIGTERM', async () => {
    serve();
    await service!.said(/daily at 03:00 UTC/);
    expect(await service!.stop()).toEqual({ code: 0, signal: null });
  });
});
