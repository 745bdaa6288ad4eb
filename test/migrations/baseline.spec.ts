import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Client } from 'pg';
import { DataSource, EntitySchema } from 'typeorm';
import { loadCommandConfig } from '../../src/config/config.js';
import { MIGRATIONS } from '../../src/database/schema-files.js';
import { applyMigrations } from '../../src/migrator/apply/apply-migrations.js';
import { LOCK_KEY } from '../../src/migrator/apply/migration-lock.js';
import { adoptDatabase } from '../../src/migrator/baseline/adopt-database.js';
import { NO_ANSWERS } from '../../src/migrator/generate/answers.js';
import { generateMigration } from '../../src/migrator/generate/generate-migration.js';
import type { MigratorOptions } from '../../src/migrator/migrator-options.js';
import { readCatalog } from '../../src/migrator/verify/catalog.js';
import { ApiClient } from '../harness/http/client.js';
import { createDatabase, onServer, type TestDatabase } from '../harness/database/database.js';
import { Program } from '../harness/programs/program.js';
import { copyProject } from '../harness/programs/project-copy.js';

const SILENT = { info: () => {}, warn: () => {} };

const CREATE_BOOKS = `
  CREATE TYPE shelf AS ENUM ('left', 'right');
  CREATE TABLE authors (id serial CONSTRAINT authors_pkey PRIMARY KEY, name text NOT NULL);
  CREATE TABLE books (
    id serial CONSTRAINT books_pkey PRIMARY KEY,
    author_id integer NOT NULL CONSTRAINT books_author_id_fkey REFERENCES authors,
    title varchar(200) NOT NULL,
    shelf shelf NOT NULL DEFAULT 'left'
  );
  CREATE INDEX books_title_idx ON books (title)`;
const ADD_PAGES = 'ALTER TABLE books ADD COLUMN pages integer NOT NULL DEFAULT 0';
const COUNT_PAGES = `UPDATE books SET pages = 100 WHERE title = 'Notes'`;
const ROWS = `
  INSERT INTO authors (name) VALUES ('Ada'), ('Bob');
  INSERT INTO books (author_id, title, shelf) VALUES (1, 'Notes', 'right'), (2, 'Ångström', 'left')`;
const BOOKS = 'SELECT title, shelf FROM books ORDER BY id';
const KEPT = [
  { title: 'Notes', shelf: 'right' },
  { title: 'Ångström', shelf: 'left' },
];

let database: TestDatabase;
let folder: string;

beforeEach(async () => {
  database = await createDatabase();
  folder = mkdtempSync(resolve('.data/baseline-'));
  addMigration('9000000000001-CreateBooks', CREATE_BOOKS);
  addMigration('9000000000002-AddPages', ADD_PAGES);
});
afterEach(async () => {
  await database.drop();
  rmSync(folder, { recursive: true, force: true });
});

function addMigration(file: string, sql: string): void {
  const [timestamp, name] = file.split('-');
  writeFileSync(
    join(folder, `${file}.js`),
    `export class ${name}${timestamp} { async up(runner) { await runner.query(${JSON.stringify(sql)}); } async down() {} }`,
  );
}

function options(entities: readonly EntitySchema[] = [], url = database.url): MigratorOptions {
  return {
    database: loadCommandConfig({ DATABASE_URL: url }).database,
    migrations: folder,
    entities,
    lockTimeoutMs: 10_000,
    direct: true,
    release: 'test',
  };
}

const adopt = (migration?: string, ignore: string[] = [], config = options()) =>
  adoptDatabase(config, SILENT, { migration, ignore });

const history = () =>
  database.query<{ name: string }>(
    `SELECT name, timestamp::float8 AS timestamp, release FROM migrations JOIN migration_history USING (name) ORDER BY id`,
  );

/** All that there is, those tables too in which the migrations are recorded. */
async function everything(): Promise<string[]> {
  const tables = await database.query<{ line: string }>(
    `SELECT concat_ws('.', table_schema, table_name) AS line FROM information_schema.tables
      WHERE table_schema NOT IN ('pg_catalog', 'information_schema') ORDER BY 1`,
  );
  return [...tables.map(({ line }) => line), ...(await readCatalog((text) => database.query(text)))];
}

async function expectNothingWritten(work: () => Promise<unknown>): Promise<void> {
  const before = await everything();
  await work();
  expect(await everything()).toEqual(before);
}

describe('a database made by golang-migrate', () => {
  beforeEach(async () => {
    await database.query(
      `CREATE TABLE schema_migrations (version bigint PRIMARY KEY, dirty boolean NOT NULL)`,
    );
    await database.query('INSERT INTO schema_migrations VALUES (2, false)');
    await database.query(`${CREATE_BOOKS}; ${ADD_PAGES}; ${ROWS}`);
  });

  it('is adopted with its rows, and the next start has nothing to apply', async () => {
    expect(await adopt()).toEqual({
      recorded: ['CreateBooks9000000000001', 'AddPages9000000000002'],
      comparedWith: 'AddPages9000000000002',
      differences: [],
      matches: ['AddPages9000000000002'],
      unproven: [],
    });
    expect(await history()).toEqual([
      { name: 'CreateBooks9000000000001', timestamp: 9000000000001, release: 'test' },
      { name: 'AddPages9000000000002', timestamp: 9000000000002, release: 'test' },
    ]);
    expect(await applyMigrations(options(), SILENT)).toEqual([]);
    expect(await database.query(BOOKS)).toEqual(KEPT);
    expect(await database.query('SELECT version, dirty FROM schema_migrations')).toEqual([
      { version: '2', dirty: false },
    ]);
  });

  it('gets the later migrations at the next start', async () => {
    await adopt();
    addMigration('9000000000003-CountPages', COUNT_PAGES);
    expect(await applyMigrations(options(), SILENT)).toEqual(['CountPages9000000000003']);
    expect(await database.query(`SELECT pages FROM books WHERE title = 'Notes'`)).toEqual([{ pages: 100 }]);
  });

  it.each([
    ['lacks an index', 'DROP INDEX books_title_idx', ['- index public.books_title_idx']],
    [
      'has a column of another type',
      'ALTER TABLE books ALTER title TYPE text',
      ['- column public.books.title character varying(200)', '+ column public.books.title text'],
    ],
    [
      'names a constraint otherwise',
      'ALTER TABLE books RENAME CONSTRAINT books_author_id_fkey TO fk_author',
      ['- constraint public.books.books_author_id_fkey', '+ constraint public.books.fk_author'],
    ],
    [
      'lacks an enum value',
      `ALTER TYPE shelf ADD VALUE 'top'`,
      ['- enum public.shelf', '+ enum public.shelf'],
    ],
    [
      'has a trigger of its own',
      triggerOn('books'),
      ['+ trigger public.books.touch', '+ function public.touch()'],
    ],
    ['has a table of its own', 'CREATE TABLE loans (id int)', ['+ table public.loans']],
  ])('is not adopted if it %s', async (_what, edit, lines) => {
    await database.query(edit);
    await expectNothingWritten(async () => {
      const { recorded, matches, differences } = await adopt();
      expect({ recorded, matches }).toEqual({ recorded: [], matches: [] });
      for (const line of lines) expect(differences).toContainEqual(expect.stringContaining(line));
    });
  });

  it('is adopted with tables, functions and schemas of its own that are to be ignored', async () => {
    await database.query(
      `CREATE TABLE loans (id serial PRIMARY KEY); CREATE INDEX ON loans (id); ${triggerOn('loans')}`,
    );
    await database.query('CREATE SCHEMA audit; CREATE TABLE audit.log (id int); CREATE TABLE "Old" (id int)');
    expect((await adopt(undefined, ['loans', 'audit', 'Old'])).recorded).toEqual([]);
    expect((await adopt(undefined, ['loans', 'touch', 'audit', 'Old'])).recorded).toHaveLength(2);
  });

  it('is adopted with grants, comments and extensions of its own, which are named', async () => {
    await database.query(
      `CREATE EXTENSION pg_trgm; COMMENT ON TABLE books IS 'all'; GRANT SELECT ON books TO PUBLIC`,
    );
    const { recorded, differences } = await adopt();
    expect(recorded).toHaveLength(2);
    expect(differences).toEqual([
      expect.stringMatching(/^\+ comment extension pg_trgm /),
      "+ comment table public.books 'all'",
      expect.stringMatching(/^\+ extension pg_trgm /),
      '+ privilege public.books GRANT SELECT TO PUBLIC',
    ]);
  });
});

function triggerOn(table: string): string {
  return `
    CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
    CREATE TRIGGER touch BEFORE UPDATE ON ${table} FOR EACH ROW EXECUTE FUNCTION touch()`;
}

describe('a database made by synchronize', () => {
  const book = (more: object = {}) =>
    new EntitySchema({
      name: 'Book',
      tableName: 'books',
      columns: {
        id: { type: 'uuid', primary: true, generated: 'uuid' },
        title: { type: 'text', unique: true },
        subtitle: { type: 'varchar', length: 50, nullable: true },
        words: { type: 'integer', asExpression: 'length(title)', generatedType: 'STORED' },
        kind: { type: 'enum', enum: ['novel', 'essay'], default: 'novel' },
        ...more,
      },
      relations: {
        sequel: { type: 'many-to-one', target: 'Book', nullable: true },
        related: { type: 'many-to-many', target: 'Book', joinTable: true },
      },
    } as never);
  const short = new EntitySchema({
    name: 'Short',
    tableName: 'short',
    type: 'view',
    expression: `SELECT id FROM books WHERE kind = 'novel'`,
    columns: { id: { type: 'uuid' } },
  } as never);

  async function generate(name: string, timestamp: number, entities: readonly EntitySchema[]): Promise<void> {
    const { migrations } = await generateMigration(options(entities), SILENT, {
      name,
      timestamp,
      answers: NO_ANSWERS,
    });
    for (const { file, source } of migrations) writeFileSync(join(folder, file), source);
  }

  beforeEach(async () => {
    rmSync(folder, { recursive: true });
    folder = mkdtempSync(resolve('.data/baseline-'));
    const { host, port, user, password, name } = options().database;
    const dataSource = new DataSource({
      type: 'postgres',
      ...{ host, port, username: user, password, database: name },
      // gen_random_uuid(), as the migrations have it.
      uuidExtension: 'pgcrypto',
      entities: [book(), short],
      synchronize: true,
    });
    await dataSource.initialize();
    await dataSource.getRepository('Book').insert([{ title: 'Notes' }, { title: 'Ångström', kind: 'essay' }]);
    await dataSource.destroy();
    await generate('Start', 9_000_000_000_001, [book(), short]);
  });

  it('is adopted, and later edits of the entities keep its rows', async () => {
    expect(await adopt()).toMatchObject({ comparedWith: expect.stringMatching(/^Start/), unproven: [] });
    expect((await history()).length).toBeGreaterThan(0);
    await generate('Widen', 9_000_000_000_101, [
      book({ subtitle: { type: 'varchar', length: 99, nullable: true } }),
      short,
    ]);
    expect(await applyMigrations(options(), SILENT)).toEqual(['Widen9000000000101']);
    expect(await database.query('SELECT title, kind, words FROM books ORDER BY title')).toEqual([
      { title: 'Notes', kind: 'novel', words: 5 },
      { title: 'Ångström', kind: 'essay', words: 8 },
    ]);
  });

  it('has the rows of typeorm_metadata afterwards that the migrations would have written, once', async () => {
    const metadata = () =>
      database.query(`SELECT type, database, "table", name FROM typeorm_metadata ORDER BY type`);
    const made = await metadata();
    expect(made).toHaveLength(2);
    await database.query('DELETE FROM typeorm_metadata');
    await adopt();
    expect(await metadata()).toEqual(made);
    await database.query('DROP TABLE migrations, migration_history');
    await adopt();
    expect(await metadata()).toEqual(made);
  });
});

describe('a database that an older migration has made', () => {
  beforeEach(() => database.query(`${CREATE_BOOKS}; ${ROWS}`));

  it('is not adopted as the newest, and says which migration it has', async () => {
    await expectNothingWritten(async () => {
      expect(await adopt()).toMatchObject({
        recorded: [],
        comparedWith: 'AddPages9000000000002',
        differences: ['- column public.books.pages integer NOT NULL DEFAULT 0'],
        matches: ['CreateBooks9000000000001'],
      });
    });
  });

  it.each(['CreateBooks', 'CreateBooks9000000000001'])(
    'is adopted as %s, and migrated by the next start',
    async (name) => {
      expect((await adopt(name)).recorded).toEqual(['CreateBooks9000000000001']);
      expect(await applyMigrations(options(), SILENT)).toEqual(['AddPages9000000000002']);
      expect(await database.query(BOOKS)).toEqual(KEPT);
    },
  );

  it('is compared with the nearest where it fits none', async () => {
    await database.query('DROP INDEX books_title_idx');
    expect(await adopt()).toMatchObject({
      comparedWith: 'CreateBooks9000000000001',
      differences: [expect.stringContaining('- index public.books_title_idx')],
    });
  });
});

describe('migrations that change rows alone', () => {
  beforeEach(async () => {
    addMigration('9000000000003-CountPages', COUNT_PAGES);
    await database.query(`${CREATE_BOOKS}; ${ADD_PAGES}; ${ROWS}`);
  });

  it('leave it to a person how far the database has come', async () => {
    await expectNothingWritten(async () => {
      expect(await adopt()).toMatchObject({
        recorded: [],
        matches: ['AddPages9000000000002', 'CountPages9000000000003'],
      });
    });
    expect((await adopt('AddPages')).unproven).toEqual([]);
    expect(await applyMigrations(options(), SILENT)).toEqual(['CountPages9000000000003']);
  });

  it('are named where they are recorded, since nothing proves them', async () => {
    expect(await adopt('CountPages')).toMatchObject({
      recorded: { length: 3 },
      unproven: ['CountPages9000000000003'],
    });
    expect(await database.query('SELECT max(pages) AS pages FROM books')).toEqual([{ pages: 0 }]);
  });
});

describe('a database that cannot be adopted', () => {
  it('is empty', async () => {
    await expectNothingWritten(() => expect(adopt()).rejects.toThrow(/no table to adopt: start normally/));
  });

  it('has nothing but the bookkeeping of another tool', async () => {
    await database.query(
      'CREATE TABLE schema_migrations (version bigint PRIMARY KEY, dirty boolean NOT NULL)',
    );
    await expect(adopt()).rejects.toThrow(/no table to adopt/);
  });

  it('has a history already', async () => {
    await applyMigrations(options(), SILENT);
    await expect(adopt()).rejects.toThrow(
      'The database has a history already, up to AddPages9000000000002: start normally',
    );
  });

  it('has a history of migrations that are no more, until that is put aside', async () => {
    await applyMigrations(options(), SILENT);
    rmSync(folder, { recursive: true });
    folder = mkdtempSync(resolve('.data/baseline-'));
    addMigration('9000000000009-Start', `${CREATE_BOOKS}; ${ADD_PAGES}`);
    await expect(adopt()).rejects.toThrow(
      /not in this build, up to AddPages9000000000002: to adopt it, rename/,
    );
    await database.query('DROP TABLE migrations, migration_history');
    expect((await adopt()).recorded).toEqual(['Start9000000000009']);
  });

  it('has a table migrations of another tool', async () => {
    await database.query(
      `${CREATE_BOOKS}; CREATE TABLE migrations (id serial, migration text, batch integer)`,
    );
    await expect(adopt()).rejects.toThrow(/table migrations belongs to another tool/);
  });

  it('is to be compared with a migration that there is not', async () => {
    await database.query(CREATE_BOOKS);
    await expect(adopt('AddPage')).rejects.toThrow(
      'There is no migration AddPage: CreateBooks9000000000001, AddPages9000000000002',
    );
  });

  it('is being migrated', async () => {
    await database.query(`${CREATE_BOOKS}; ${ADD_PAGES}`);
    const other = new Client({ connectionString: database.url });
    await other.connect();
    try {
      await other.query('SELECT pg_advisory_lock($1)', [LOCK_KEY]);
      await expect(adopt(undefined, [], { ...options(), lockTimeoutMs: 100 })).rejects.toThrow(
        /lock was not free/,
      );
    } finally {
      await other.end();
    }
  });

  it('is on a server where the user may not create the scratch database', async () => {
    const role = `adopter_${randomBytes(6).toString('hex')}`;
    await onServer(`CREATE ROLE ${role} LOGIN PASSWORD 'secret'`);
    try {
      await database.query(`${CREATE_BOOKS}; ${ADD_PAGES}`);
      const url = Object.assign(new URL(database.url), { username: role, password: 'secret' }).href;
      await expectNothingWritten(() =>
        expect(adopt(undefined, [], options([], url))).rejects.toThrow(`ALTER ROLE "${role}" CREATEDB`),
      );
    } finally {
      await onServer(`DROP ROLE ${role}`);
    }
  });
});

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

  beforeEach(async () => {
    await applyMigrations({ ...options(), migrations: MIGRATIONS }, SILENT);
    await database.query('DROP TABLE migrations, migration_history, typeorm_metadata');
    await database.query(
      `INSERT INTO users (id, email, password_hash) VALUES (gen_random_uuid(), 'a@example.org', 'x')`,
    );
  });

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
          ['--import', 'tsx', join(project.folder, 'scripts/migration.ts'), 'baseline', 'DropEntryRollups'],
          {
            env: { PATH: process.env['PATH'], DATABASE_URL: database.url },
            stdio: ['ignore', 'pipe', 'pipe'],
          },
        ),
      );
      expect((await program.exited).code).toBe(0);
      expect(program.stdout).toContain('adopted: the schema is the one of DropEntryRollups1795765183000');
    } finally {
      project.remove();
    }
  }, 120_000);
});
