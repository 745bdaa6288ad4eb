import { spawn } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Client } from 'pg';
import { lint, type LintedMigration } from '../../src/migrator/lint/lint.js';
import { recordingOf } from '../../src/migrator/lint/migrations.js';
import { describeReport, type Report } from '../../src/migrator/lint/report.js';
import { RULES } from '../../src/migrator/lint/rules/rules.js';
import { STEADY_FUNCTIONS } from '../../src/migrator/lint/volatility.js';
import type { Migration } from '../../src/migrator/migration.js';
import { createDatabase, onServer } from '../harness/database.js';
import { Program } from '../harness/program.js';
import { copyProject, type ProjectCopy } from '../harness/project-copy.js';
import {
  OWN,
  ROWS,
  SAFE,
  SCHEMA_IN_USE,
  SQUAWK,
  STRONG_MIGRATIONS,
  type Example,
  type Sketch,
} from './lint.cases.js';

const PROJECT = resolve(import.meta.dirname, '../..');

/** PostgreSQL's messages of work that takes the longer the more rows there are. */
const WORK_ON_ALL_ROWS =
  /rewriting table|verifying table|validating foreign key|building index "(?!pg_toast)/;

function migration(sketch: Sketch, index: number): LintedMigration {
  return {
    file: `${index}.ts`,
    source: sketch.source ?? '',
    inTransaction: sketch.transaction !== false,
    up: { queries: sketch.up },
    down: { queries: sketch.down ?? ['SELECT 1'] },
  };
}

/** Lints migrations that follow the one that made the schema in use. */
function lintAfter(...sketches: readonly Sketch[]): Report {
  return lint([{ up: SCHEMA_IN_USE }, ...sketches].map(migration), RULES);
}

function found(...sketches: readonly Sketch[]): string[] {
  return [...new Set(lintAfter(...sketches).findings.map(({ rule }) => rule))].sort();
}

interface Told {
  readonly query: string;
  readonly messages: string[];
}

/** What PostgreSQL says, its refusals among it, while it does the queries one after the other. */
async function tell(client: Client, queries: readonly string[]): Promise<Told[]> {
  const told: Told[] = [];
  const listen = ({ message }: { message?: string | undefined }) => told.at(-1)?.messages.push(message ?? '');
  client.on('notice', listen);
  for (const query of queries) {
    const messages: string[] = [];
    told.push({ query, messages });
    await client.query(query).catch((error: unknown) => messages.push(`ERROR ${String(error)}`));
  }
  client.off('notice', listen);
  return told;
}

async function makeSchemaInUse(): Promise<{ client: Client; drop: () => Promise<void> }> {
  const database = await createDatabase();
  const client = new Client({ connectionString: database.url });
  await client.connect();
  await client.query([...SCHEMA_IN_USE, ...ROWS].join(';'));
  await client.query('SET client_min_messages = debug1');
  return { client, drop: () => client.end().then(() => database.drop()) };
}

let shared: Awaited<ReturnType<typeof makeSchemaInUse>>;
beforeAll(async () => {
  shared = await makeSchemaInUse();
});
afterAll(() => shared.drop());

/** What PostgreSQL says while it does these migrations, each as the runner would. */
async function messagesOf(sketches: readonly Sketch[]): Promise<Told[]> {
  const queries = sketches.flatMap(({ up, transaction }) =>
    transaction === false ? up : ['BEGIN', ...up, 'COMMIT'],
  );
  if (sketches.length === 1 && queries[0] === 'BEGIN') {
    return tell(shared.client, [...queries.slice(0, -1), 'ROLLBACK']);
  }
  const own = await makeSchemaInUse();
  try {
    return await tell(own.client, queries);
  } finally {
    await own.drop();
  }
}

describe.each([
  ['squawk warns of', SQUAWK],
  ['strong_migrations warns of', STRONG_MIGRATIONS],
  ['neither warns of', OWN],
])('what %s', (_name, examples) => {
  it.each(examples.map((example) => ({ ...example, sql: example.up.join('; ') })))(
    '$of: $sql -> $found',
    (example) => {
      expect(found(example)).toEqual(example.found);
      expect(example.because === undefined).toBe(example.found.length > 0);
    },
  );

  it.each(examples.filter(({ postgres }) => postgres))(
    'really does that to a table with a row: $of -> $postgres',
    async (example) => {
      const told = await messagesOf([example]);
      expect(told.flatMap(({ messages }) => messages).join('\n')).toMatch(example.postgres!);
    },
  );
});

describe('what is passed though squawk or strong_migrations warn of it', () => {
  it.each(
    [...SQUAWK, ...STRONG_MIGRATIONS].filter(
      ({ up, found: rules }) => rules.length === 0 && /^ALTER TABLE/.test(up[0]!),
    ),
  )('reads and writes no row: $up', async (example) => {
    const told = await messagesOf([example]);
    const messages = told.flatMap((query) => query.messages);
    expect(messages.filter((message) => message.startsWith('ERROR'))).toEqual([]);
    expect(messages.join('\n')).not.toMatch(WORK_ON_ALL_ROWS);
  });
});

describe('what a rule says to write instead', () => {
  const names = RULES.map(({ name }) => name);

  it('is shown for every rule', () => {
    expect(Object.keys(SAFE).sort()).toEqual([...names].sort());
  });

  it.each(names)('%s: passes', (name) => {
    expect(lintAfter(...SAFE[name]!).findings).toEqual([]);
  });

  it.each(names)(
    '%s: is taken by PostgreSQL, and holds no lock while it looks at every row',
    async (name) => {
      for (const { query, messages } of await messagesOf(SAFE[name]!)) {
        expect(messages.filter((message) => message.startsWith('ERROR'))).toEqual([]);
        // These three look at rows, but let others read and write them meanwhile, or have none.
        if (/CONCURRENTLY|VALIDATE|^CREATE TABLE/.test(query)) continue;
        expect(messages.join('\n')).not.toMatch(WORK_ON_ALL_ROWS);
      }
    },
  );
});

describe('a change of type', () => {
  const TYPES = [
    'text',
    'varchar',
    'varchar(10)',
    'varchar(20)',
    'bpchar',
    'char(10)',
    'char(20)',
    'name',
    'smallint',
    'integer',
    'bigint',
    'oid',
    'real',
    'double precision',
    'numeric',
    'numeric(10,2)',
    'numeric(12,2)',
    'numeric(12,3)',
    'boolean',
    'date',
    'time',
    'time(3)',
    'time with time zone',
    'timestamp',
    'timestamp(3)',
    'timestamp(6)',
    'timestamp with time zone',
    'timestamp(3) with time zone',
    'timestamp(6) with time zone',
    'interval',
    'interval(3)',
    'interval(6)',
    'bit(3)',
    'bit varying',
    'bit varying(5)',
    'bit varying(8)',
    'inet',
    'cidr',
    'uuid',
    'json',
    'jsonb',
    'xml',
    'bytea',
    'text[]',
    'varchar[]',
    'varchar(10)[]',
    'varchar(20)[]',
    'integer[]',
    'nickname',
    'label',
    'score',
    'weather',
  ];

  const OWN_TYPES = [
    `CREATE DOMAIN nickname AS text`,
    `CREATE DOMAIN label AS varchar(10)`,
    `CREATE DOMAIN score AS integer CHECK (VALUE > 0)`,
    `CREATE TYPE weather AS ENUM ('sun', 'rain')`,
  ];

  it('is found where PostgreSQL writes the table anew, and nowhere else', async () => {
    const database = await createDatabase();
    const client = new Client({ connectionString: database.url });
    await client.connect();
    const differences: string[] = [];
    let compared = 0;
    try {
      await client.query(OWN_TYPES.join(';'));
      await client.query(`SET timezone = 'Europe/Berlin'`);
      await client.query(`CREATE FUNCTION pg_temp.rewrites(source text, target text) RETURNS boolean
        LANGUAGE plpgsql AS $$
        DECLARE before oid; after oid;
        BEGIN
          EXECUTE format('CREATE TEMP TABLE changed (c %s)', source);
          before := pg_relation_filenode('changed');
          EXECUTE format('ALTER TABLE changed ALTER COLUMN c TYPE %s', target);
          after := pg_relation_filenode('changed');
          DROP TABLE changed;
          RETURN before <> after;
        EXCEPTION WHEN datatype_mismatch OR cannot_coerce THEN RETURN NULL;
        END $$`);
      for (const from of TYPES) {
        const { rows } = await client.query<{ to: string; rewrites: boolean | null }>(
          `SELECT target AS to, pg_temp.rewrites($1, target) AS rewrites FROM unnest($2::text[]) AS target`,
          [from, TYPES],
        );
        for (const { to, rewrites } of rows) {
          // PostgreSQL refuses the cast.
          if (rewrites === null) continue;
          compared += 1;
          const table = { up: [...OWN_TYPES, `CREATE TABLE changed (c ${from})`] };
          const change = { up: [`ALTER TABLE changed ALTER COLUMN c TYPE ${to}`] };
          const { findings } = lint([table, change].map(migration), RULES);
          const isFound = findings.some(({ rule }) => rule === 'change-column-type');
          if (isFound !== rewrites)
            differences.push(`${from} to ${to}: PostgreSQL ${rewrites}, lint ${isFound}`);
        }
      }
    } finally {
      await client.end();
      await database.drop();
    }
    expect(differences).toEqual([]);
    expect(compared).toBeGreaterThan(700);
  }, 60_000);
});

describe('a default', () => {
  it('is taken to be the same for every row only by functions that PostgreSQL says are', async () => {
    const rows = await onServer<{ proname: string; volatile: boolean }>(
      `SELECT proname, bool_or(provolatile = 'v') AS volatile FROM pg_proc
        WHERE pronamespace = 'pg_catalog'::regnamespace AND proname = ANY($1) GROUP BY proname`,
      [[...STEADY_FUNCTIONS]],
    );
    expect(rows.filter(({ volatile }) => volatile)).toEqual([]);
    expect(rows.map(({ proname }) => proname).sort()).toEqual([...STEADY_FUNCTIONS].sort());
  });

  it('may call a function that the migrations made STABLE', () => {
    const up = [
      `CREATE FUNCTION day() RETURNS date LANGUAGE sql STABLE RETURN current_date`,
      `ALTER TABLE entries ADD COLUMN day date NOT NULL DEFAULT day()`,
    ];
    expect(found({ up })).toEqual([]);
  });
});

describe('a table of the same migration', () => {
  it('may be changed in any way', () => {
    const up = [
      `CREATE TABLE labels (id integer, name varchar(50), old text, CONSTRAINT named CHECK (name <> ''))`,
      `CREATE INDEX labels_name_idx ON labels (name)`,
      `ALTER TABLE labels ADD COLUMN code uuid NOT NULL DEFAULT gen_random_uuid()`,
      `ALTER TABLE labels ADD COLUMN loud text GENERATED ALWAYS AS (upper(name)) STORED`,
      `ALTER TABLE labels ALTER COLUMN id SET NOT NULL, ALTER COLUMN name TYPE varchar(10)`,
      `ALTER TABLE labels ADD PRIMARY KEY (id), ADD UNIQUE (name), ADD CHECK (id > 0)`,
      `ALTER TABLE labels ADD FOREIGN KEY (code) REFERENCES users (id)`,
      `ALTER TABLE labels RENAME COLUMN old TO former`,
      `ALTER TABLE labels DROP COLUMN former`,
      `UPDATE labels SET name = 'x'`,
      `DROP INDEX labels_name_idx`,
      `ALTER TABLE labels RENAME TO tags`,
      `LOCK TABLE tags`,
      `TRUNCATE tags`,
      `DROP TABLE tags`,
      `CREATE TYPE tide AS ENUM ('low')`,
      `ALTER TYPE tide ADD VALUE 'high'`,
      `CREATE TABLE tides (tide tide DEFAULT 'high')`,
    ];
    expect(found({ up })).toEqual([]);
  });

  it('is in use for the next one', () => {
    const labels = { up: [`CREATE TABLE labels (id uuid PRIMARY KEY, name text)`] };
    expect(found(labels, { up: [`CREATE INDEX labels_name_idx ON labels (name)`] })).toEqual([
      'index-not-concurrent',
    ]);
  });

  it('is known by its new name once it is renamed', () => {
    const renaming = {
      up: [`ALTER TABLE imports RENAME TO loads`],
      source: '// lint-ok: rename-table: no release names it',
    };
    expect(found(renaming, { up: [`ALTER TABLE loads ALTER COLUMN id SET NOT NULL`] })).toEqual([]);
  });
});

describe('what is known of a table', () => {
  const renamed = {
    up: [`ALTER TABLE entries RENAME COLUMN notes TO remarks`],
    source: '// lint-ok: rename-column: no release names it',
  };

  it.each<[string, Sketch[], string[]]>([
    [
      'its primary key is NOT NULL',
      [
        { up: [`CREATE TABLE labels (id uuid)`, `ALTER TABLE labels ADD PRIMARY KEY (id)`] },
        { up: [`ALTER TABLE labels ALTER COLUMN id SET NOT NULL`] },
      ],
      [],
    ],
    [
      'a NOT NULL that was validated is promised',
      [
        { up: [`ALTER TABLE users ADD CONSTRAINT named NOT NULL display_name NOT VALID`] },
        { up: [`ALTER TABLE users VALIDATE CONSTRAINT named`] },
        { up: [`ALTER TABLE users ALTER COLUMN display_name DROP NOT NULL`] },
      ],
      ['drop-not-null'],
    ],
    [
      'an index that was dropped is not built anew',
      [
        { transaction: false, up: [`DROP INDEX CONCURRENTLY public.entries_notes_idx`] },
        { up: [`ALTER TABLE entries ALTER COLUMN notes TYPE text COLLATE "C"`] },
      ],
      [],
    ],
    [
      'the index of a renamed column is',
      [renamed, { up: [`ALTER TABLE entries ALTER COLUMN remarks TYPE text COLLATE "C"`] }],
      ['change-column-type'],
    ],
    [
      'a renamed column keeps its type',
      [renamed, { up: [`ALTER TABLE entries ALTER COLUMN remarks TYPE varchar`] }],
      [],
    ],
    [
      'a table of another migration is the same with its schema named',
      [{ up: [`ALTER TABLE public.imports ALTER COLUMN id SET NOT NULL`] }],
      [],
    ],
    [
      'a table of another schema is another one',
      [
        { up: [`CREATE TABLE archive.imports (id integer)`] },
        { up: [`ALTER TABLE archive.imports ALTER COLUMN id SET NOT NULL`] },
      ],
      ['set-not-null'],
    ],
    [
      'of a partitioned one an index on it ONLY is no work',
      [{ up: [`CREATE INDEX visits_at_idx ON ONLY visits (at)`] }],
      [],
    ],
  ])('%s', (_what, sketches, rules) => {
    expect(found(...sketches)).toEqual(rules);
  });

  it('an index that became a constraint has its name', () => {
    const { findings } = lintAfter(
      { transaction: false, up: [`CREATE UNIQUE INDEX CONCURRENTLY by_email ON users (email)`] },
      { up: [`ALTER TABLE users ADD CONSTRAINT users_email_key UNIQUE USING INDEX by_email`] },
      { up: [`ALTER TABLE users ALTER COLUMN email TYPE varchar(254) COLLATE "C"`] },
    );
    expect(findings.map(({ detail }) => detail)).toEqual([
      'users.email: varchar(254) to varchar(254): index users_email_key is built anew',
    ]);
  });
});

describe('down', () => {
  it('may take back what up has made', () => {
    const up = [
      `CREATE TABLE labels (id uuid PRIMARY KEY)`,
      `CREATE INDEX labels_id_idx ON labels (id)`,
      `CREATE VIEW all_labels AS SELECT id FROM labels`,
      `CREATE TEXT SEARCH CONFIGURATION labels_search (COPY = simple)`,
      `ALTER TABLE entries ADD COLUMN pinned boolean NOT NULL DEFAULT false`,
      `ALTER TABLE entries ALTER COLUMN title SET DEFAULT 'untitled'`,
    ];
    const down = [
      `ALTER TABLE entries ALTER COLUMN title DROP DEFAULT`,
      `ALTER TABLE entries DROP COLUMN pinned`,
      `DROP VIEW all_labels`,
      `DROP TEXT SEARCH CONFIGURATION labels_search`,
      `DROP INDEX labels_id_idx`,
      `DROP TABLE labels`,
    ];
    expect(found({ up, down })).toEqual([]);
  });

  it('may not drop what was there before', () => {
    const up = [`ALTER TABLE entries ADD COLUMN pinned boolean`];
    expect(found({ up, down: [`ALTER TABLE entries DROP COLUMN title`] })).toEqual(['drop-column']);
  });

  it('may not lock a table in use any more than up may', () => {
    const up = [`CREATE INDEX CONCURRENTLY entries_title_idx ON entries (title)`];
    expect(found({ transaction: false, up, down: [`DROP INDEX entries_title_idx`] })).toEqual([
      'drop-index-not-concurrent',
      'not-repeatable',
    ]);
  });

  it('leaves the next migration what up has made', () => {
    const first = {
      up: [`ALTER TABLE entries ADD COLUMN pinned boolean NOT NULL DEFAULT false`],
      down: [`ALTER TABLE entries DROP COLUMN pinned`],
    };
    expect(found(first, { up: [`ALTER TABLE entries ALTER COLUMN pinned SET NOT NULL`] })).toEqual([]);
  });

  it('is missed where it sends nothing and up does', () => {
    const up = [`ALTER TABLE entries ADD COLUMN pinned boolean`];
    expect(found({ up, down: [] })).toEqual(['missing-down']);
    expect(found({ up: [], down: [] })).toEqual([]);
  });
});

describe('a waiver', () => {
  const up = [`ALTER TABLE entries DROP COLUMN title`, `ALTER TABLE entries DROP COLUMN notes`];

  it('waives every finding of its rule in its file, and is told with its reason', () => {
    const report = lintAfter({ up, source: '// lint-ok: drop-column: no release since 1.4 names them' });
    expect(report.findings).toEqual([]);
    expect(report.waived.map(({ rule, waiver }) => [rule, waiver])).toEqual([
      ['drop-column', 'no release since 1.4 names them'],
      ['drop-column', 'no release since 1.4 names them'],
    ]);
    expect(describeReport(report, 'migrations')).toBe(
      `migration lint: 2 migrations, ${SCHEMA_IN_USE.length + 4} statements, 0 findings, 2 waived`,
    );
  });

  it('waives nothing in another file', () => {
    const waived = { up: up.slice(0, 1), source: '// lint-ok: drop-column: no release since 1.4 names it' };
    expect(found(waived, { up: up.slice(1) })).toEqual(['drop-column']);
  });

  it.each([
    ['its reason is short', '// lint-ok: drop-column: unused', ['drop-column', 'waiver']],
    ['it gives no reason', '// lint-ok: drop-column', ['drop-column', 'waiver']],
    [
      'there is no such rule',
      '// lint-ok: drop-colum: no release since 1.4 names them',
      ['drop-column', 'waiver'],
    ],
    [
      'it waives nothing',
      `// lint-ok: drop-column: no release since 1.4 names them
       // lint-ok: drop-table: no release since 1.4 names it`,
      ['waiver'],
    ],
    ['it waives itself', '// lint-ok: waiver: I know what I am doing here', ['drop-column', 'waiver']],
  ])('is a finding where %s', (_fault, source, rules) => {
    expect(found({ up, source })).toEqual(rules);
  });
});

describe('a finding', () => {
  it('names the line on which its statement begins', () => {
    const source = `export class X {
  // CREATE INDEX entries_title_idx ON entries (title)
  public async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(\`
            CREATE INDEX "entries_title_idx"
                ON "entries" ("title")
        \`);
    await queryRunner.query('ALTER TABLE entries ADD COLUMN "é" text; DROP TABLE imports');
    await queryRunner.query('LOCK TABLE users');
    await queryRunner.query('LOCK TABLE users');
  }
  public async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(\`DROP INDEX "entries_title_idx"\`);
    await queryRunner.query(\`DROP TABLE \${some}\`);
  }
}`;
    const { findings } = lintAfter({
      source,
      up: [
        `
            CREATE INDEX "entries_title_idx"
                ON "entries" ("title")
        `,
        'ALTER TABLE entries ADD COLUMN "é" text; DROP TABLE imports',
        'LOCK TABLE users',
        'LOCK TABLE users',
      ],
      down: [`DROP INDEX "entries_title_idx"`, `DROP TABLE users`],
    });
    expect(findings.map(({ line, rule }) => `${line} ${rule}`)).toEqual([
      '5 index-not-concurrent',
      '8 drop-table',
      '9 lock-table',
      '10 lock-table',
      // It is put together of parts: where it is sent from is all there is to say.
      '12 drop-table',
      '13 drop-index-not-concurrent',
    ]);
  });

  it('says what hurts, why, and what to write instead', () => {
    const report = lintAfter({ up: [`ALTER TABLE entries ALTER COLUMN mood TYPE integer`] });
    expect(describeReport(report, 'src/database/migrations')).toBe(`\
src/database/migrations/1.ts:1  change-column-type  ALTER TABLE entries ALTER COLUMN mood TYPE integer
    entries.mood: int2 to int4: every row is written anew
    The table is written or read as a whole while nobody can read or write it.
    Instead: A new column: write both, fill it in batches, read the new one, drop the old one a release later.

migration lint: 2 migrations, ${SCHEMA_IN_USE.length + 3} statements, 1 finding, 0 waived`);
  });
});

describe('a migration that does more than send SQL', () => {
  it.each<[string, Migration['up'], string]>([
    [
      'calls the query runner in another way',
      async (runner) => {
        await runner.query('ALTER TABLE entries ADD COLUMN pinned boolean');
        await runner.dropTable('sessions');
      },
      'queryRunner.dropTable is not recorded',
    ],
    [
      'needs what it reads',
      async (runner) => {
        const rows = (await runner.query('SELECT id FROM users')) as { id: string }[];
        await runner.query(`DELETE FROM users WHERE id = '${rows[0]!.id}'`);
      },
      'Cannot read properties of undefined',
    ],
  ])('is a finding where it %s', async (_name, up, reason) => {
    const down: Migration['down'] = async (runner) => {
      await runner.query('SELECT 1');
    };
    const linted = {
      ...migration({ up: [] }, 1),
      up: await recordingOf({ up, down }, 'up'),
      down: await recordingOf({ up, down }, 'down'),
    };
    const { findings } = lint([migration({ up: SCHEMA_IN_USE }, 0), linted], RULES);
    expect(findings).toMatchObject([{ rule: 'unseen', detail: expect.stringContaining(reason) }]);
  });
});

describe('npm run migration:lint', () => {
  let project: ProjectCopy;

  beforeAll(() => {
    project = copyProject();
  });
  afterAll(() => project.remove());

  function writeMigration(file: string, source: string): void {
    writeFileSync(join(project.folder, 'src/database/migrations', file), source);
  }

  async function run(...args: readonly string[]): Promise<Program & { code: number | null }> {
    const program = new Program(
      spawn(process.execPath, ['--import', 'tsx', 'src/migrator/lint/cli.ts', ...args], {
        cwd: project.folder,
        env: { PATH: process.env['PATH'] },
        stdio: ['ignore', 'pipe', 'pipe'],
      }),
    );
    const { code } = await program.exited;
    return Object.assign(program, { code });
  }

  it("passes the project's own migrations", async () => {
    const { code, stdout, stderr } = await run();
    expect(stderr).toBe('');
    expect(stdout).toMatch(/^migration lint: \d+ migrations, \d+ statements, 0 findings, \d+ waived\n$/);
    expect(code).toBe(0);
  });

  it.each([
    ['DropTags.ts', 'must be named <13 digits>-<Name>.ts'],
    ['1999999999998-DropTags.ts', 'must export a class DropTags1999999999998'],
  ])('names a file that is no migration: %s', async (file, problem) => {
    writeMigration(file, '');
    const { code, stderr } = await run();
    rmSync(join(project.folder, 'src/database/migrations', file));
    expect(code).toBe(2);
    expect(stderr).toContain(`${file} ${problem}`);
    expect(stderr).not.toMatch(/^\s+at /m);
  });

  describe('with a migration that hurts', () => {
    const FILE = '1999999999999-DropTags.ts';

    beforeAll(() => {
      writeMigration(
        FILE,
        `export class DropTags1999999999999 {
  async up(queryRunner) {
    await queryRunner.query(\`ALTER TABLE "entries" DROP COLUMN "tags"\`);
  }
  async down(queryRunner) {
    await queryRunner.query(\`ALTER TABLE "entries" ADD "tags" text array NOT NULL DEFAULT '{}'\`);
  }
}
`,
      );
    });

    it('tells it, and exits with 1', async () => {
      const { code, stdout } = await run();
      expect(code).toBe(1);
      expect(stdout).toContain(
        `src/database/migrations/${FILE}:3  drop-column  ALTER TABLE "entries" DROP COLUMN "tags"`,
      );
    });

    it('tells a machine by --json', async () => {
      const { code, stdout } = await run('--json');
      expect(code).toBe(1);
      expect(JSON.parse(stdout)).toMatchObject({
        findings: [{ file: FILE, line: 3, rule: 'drop-column', detail: 'entries.tags' }],
        waived: expect.not.arrayContaining([expect.objectContaining({ file: FILE })]),
      });
    });

    it('tells only of the files that are named', async () => {
      expect(await run(`src/database/migrations/${FILE}`)).toMatchObject({ code: 1 });
      expect(await run('src/database/migrations/1795555381378-AddEntryTags.ts')).toMatchObject({ code: 0 });
      const { code, stderr } = await run('src/database/migrations/1-None.ts');
      expect(code).toBe(2);
      expect(stderr).toContain('no migration 1-None.ts');
    });
  });
});

describe('docs/migration-lint.md and docs/migration-lint-coverage.md', () => {
  const page = (name: string) => readFileSync(join(PROJECT, 'docs', name), 'utf8');

  /** The cells of the table under a heading, without its head. */
  function tableUnder(heading: string, name: string): string[][] {
    const [, section = ''] = page(name).split(`## ${heading}\n`);
    const lines = section
      .split('\n## ')[0]!
      .split('\n')
      .filter((line) => line.startsWith('|'));
    return lines.slice(2).map((line) =>
      line
        .slice(1, -1)
        .split(/(?<!\\)\|/)
        .map((cell) => cell.trim().replaceAll('\\|', '|')),
    );
  }

  /** A source as a link from docs/. */
  function linkTo(source: string): string {
    if (source.startsWith('https:')) return source;
    return source.startsWith('docs/') ? source.slice('docs/'.length) : `../${source}`;
  }

  function rowOf({ of, up, transaction, because = '' }: Example): string[] {
    const sql = up.map((query) => `\`${query.replace(/\s+/g, ' ')}\``).join(', ');
    return [of, transaction === false ? `${sql}, outside a transaction` : sql, because];
  }

  it.each([
    ['squawk', SQUAWK],
    ['strong_migrations', STRONG_MIGRATIONS],
  ])('says how much of %s is found', (heading, examples) => {
    const all = new Set(examples.map(({ of }) => of));
    const seen = new Set(examples.filter(({ found: rules }) => rules.length > 0).map(({ of }) => of));
    expect(page('migration-lint-coverage.md')).toContain(`${heading}: ${seen.size} of ${all.size} found`);
  });

  it.each([
    ['squawk', SQUAWK],
    ['strong_migrations', STRONG_MIGRATIONS],
  ])('lists what %s finds and this lint does not', (heading, examples) => {
    const missed = examples.filter(({ found: rules }) => rules.length === 0);
    expect(tableUnder(heading, 'migration-lint-coverage.md')).toEqual(missed.map(rowOf));
  });

  it('has the rules', () => {
    expect(tableUnder('Rules', 'migration-lint.md')).toEqual(
      RULES.map(({ name, why, instead, source }) => [`[${name}](${linkTo(source)})`, why, instead]),
    );
  });

  it('says of each rule what it is called elsewhere, by the examples that it finds', () => {
    const finders = new Map<string, Set<string>>();
    for (const [house, examples] of [
      ['squawk', SQUAWK],
      ['strong_migrations', STRONG_MIGRATIONS],
    ] as const) {
      for (const { of, found: rules } of examples) {
        for (const rule of rules) finders.set(rule, (finders.get(rule) ?? new Set()).add(`${house}: ${of}`));
      }
    }
    for (const { name, alike } of RULES)
      expect([name, [...alike].sort()]).toEqual([name, [...(finders.get(name) ?? [])].sort()]);
  });
});
