import { randomBytes } from 'node:crypto';
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Client } from 'pg';
import { DataSource, EntitySchema } from 'typeorm';
import { loadCommandConfig } from '../../src/config/config.js';
import { LOCK_KEY } from '../../src/migrator/apply/migration-lock.js';
import { adoptDatabase } from '../../src/migrator/baseline/adopt-database.js';
import { readCatalog } from '../../src/migrator/verify/catalog.js';
import { onServer, type TestDatabase } from '../harness/database/database.js';
import { MigrationProject } from '../harness/database/migration-project.js';

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

let project: MigrationProject;
let database: TestDatabase;

beforeEach(async () => {
  project = await MigrationProject.create();
  database = project.database;
  addMigration('9000000000001-CreateBooks', CREATE_BOOKS);
  addMigration('9000000000002-AddPages', ADD_PAGES);
});
afterEach(() => project.remove());

function addMigration(file: string, sql: string): void {
  const [timestamp, name] = file.split('-');
  const source = `export class ${name}${timestamp} { async up(runner) { await runner.query(${JSON.stringify(sql)}); } async down() {} }`;
  project.write([{ file: `${file}.js`, source }]);
}

function removeMigrations(): void {
  for (const file of readdirSync(project.folder)) rmSync(join(project.folder, file));
}

const adopt = (migration?: string, ignore: string[] = [], config = project.options()) =>
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
    expect(await project.applyPending()).toEqual([]);
    expect(await database.query(BOOKS)).toEqual(KEPT);
    expect(await database.query('SELECT version, dirty FROM schema_migrations')).toEqual([
      { version: '2', dirty: false },
    ]);
  });

  it('gets the later migrations at the next start', async () => {
    await adopt();
    addMigration('9000000000003-CountPages', COUNT_PAGES);
    expect(await project.applyPending()).toEqual(['CountPages9000000000003']);
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

  beforeEach(async () => {
    removeMigrations();
    const { host, port, user, password, name } = project.options().database;
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
    project.write((await project.generate([book(), short])).migrations);
  });

  it('is adopted, and later edits of the entities keep its rows', async () => {
    expect(await adopt()).toMatchObject({ comparedWith: expect.stringMatching(/^Edit/), unproven: [] });
    expect((await history()).length).toBeGreaterThan(0);
    const wider = book({ subtitle: { type: 'varchar', length: 99, nullable: true } });
    project.write((await project.generate([wider, short])).migrations);
    expect(await project.applyPending()).toEqual([expect.stringMatching(/^Edit\d+$/)]);
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
      expect(await project.applyPending()).toEqual(['AddPages9000000000002']);
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
    expect(await project.applyPending()).toEqual(['CountPages9000000000003']);
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
    await project.applyPending();
    await expect(adopt()).rejects.toThrow(
      'The database has a history already, up to AddPages9000000000002: start normally',
    );
  });

  it('has a history of migrations that are no more, until that is put aside', async () => {
    await project.applyPending();
    removeMigrations();
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

  it('is to be compared with a migration that does not exist', async () => {
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
      await expect(adopt(undefined, [], { ...project.options(), lockTimeoutMs: 100 })).rejects.toThrow(
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
        expect(
          adopt(undefined, [], {
            ...project.options(),
            database: loadCommandConfig({ DATABASE_URL: url }).database,
          }),
        ).rejects.toThrow(`ALTER ROLE "${role}" CREATEDB`),
      );
    } finally {
      await onServer(`DROP ROLE ${role}`);
    }
  });
});
