import { spawn } from 'node:child_process';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { createDatabase, createMigratedDatabase, type TestDatabase } from '../harness/database/database.js';
import { ApiClient } from '../harness/http/client.js';
import { newestMigration } from '../harness/database/newest-migration.js';
import { Program } from '../harness/programs/program.js';
import { copyProject } from '../harness/programs/project-copy.js';

describe('the service on a database that was made by hand', () => {
  const release = dirname(process.env['TEST_PROGRAM']!);

  async function migrate(...args: string[]) {
    const program = new Program(
      spawn(process.execPath, [join(release, 'database/migrate.js'), ...args], {
        env: { PATH: process.env['PATH'], NODE_ENV: 'test', DATABASE_URL: database.url },
        stdio: ['ignore', 'pipe', 'pipe'],
      }),
    );
    const { code } = await program.exited;
    return { code, stdout: program.stdout, stderr: program.stderr };
  }

  let migrated: TestDatabase;
  let database: TestDatabase;

  beforeAll(async () => {
    migrated = await createMigratedDatabase();
    await migrated.query('DROP TABLE migrations, migration_history, typeorm_metadata');
    await migrated.query(
      `INSERT INTO users (id, email, password_hash) VALUES (gen_random_uuid(), 'a@example.org', 'x')`,
    );
  });
  afterAll(() => migrated.drop());
  beforeEach(async () => {
    database = await createDatabase(migrated.name);
  });
  afterEach(() => database.drop());

  it('says how to adopt it, adopts it, and starts', async () => {
    const refused = Program.start({ DATABASE_URL: database.url, DB_POOL_SIZE: '2' });
    expect((await refused.exited).code).toBe(1);
    expect(refused.stdout).toContain('migrate.js baseline');

    expect(await migrate('baseline')).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(
        /^adopted: the schema is the one of \w+, and \d+ migrations are recorded/,
      ),
    });
    const program = Program.start({ DATABASE_URL: database.url, DB_POOL_SIZE: '2' });
    try {
      const api = await new ApiClient(await program.listening()).signUp();
      expect((await api.get('/users/me')).status).toBe(200);
      expect(program.stdout).toContain('migrations: none pending');
      expect(await database.query(`SELECT FROM users WHERE email = 'a@example.org'`)).toHaveLength(1);
    } finally {
      await program.stop();
    }
  }, 120_000);

  it('exits 1, prints the differences and writes nothing if the schema differs', async () => {
    await database.query('DROP INDEX entries_trash_idx; CREATE TABLE notes (id int)');
    const first = await migrate('baseline');
    expect(first.code).toBe(1);
    expect(first.stdout).toMatch(/^ {2}- index public\.entries_trash_idx /m);
    expect(first.stdout).toMatch(/^ {2}\+ table public\.notes$/m);
    const { code, stdout } = await migrate('baseline', '--ignore', 'notes', '--json');
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({
      recorded: [],
      differences: [expect.stringContaining('- index public.entries_trash_idx')],
    });
    expect(await database.query(`SELECT to_regclass('migrations') AS migrations`)).toEqual([
      { migrations: null },
    ]);
  }, 120_000);

  it('is adopted by npm run migration:baseline', async () => {
    const project = copyProject();
    try {
      const program = new Program(
        spawn(
          process.execPath,
          ['--import', 'tsx', join(project.folder, 'scripts/migration.ts'), 'baseline', newestMigration()],
          {
            env: { PATH: process.env['PATH'], DATABASE_URL: database.url },
            stdio: ['ignore', 'pipe', 'pipe'],
          },
        ),
      );
      expect((await program.exited).code).toBe(0);
      expect(program.stdout).toContain(`adopted: the schema is the one of ${newestMigration()}`);
    } finally {
      project.remove();
    }
  }, 120_000);
});
