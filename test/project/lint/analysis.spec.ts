import { describe, expect, it } from '@jest/globals';
import { lint } from '../../../src/migrator/lint/lint.js';
import { recordingOf } from '../../../src/migrator/lint/migrations.js';
import { describeReport } from '../../../src/migrator/lint/report.js';
import { RULES } from '../../../src/migrator/lint/rules/rules.js';
import type { Migration } from '../../../src/migrator/migration.js';
import type { Sketch } from './examples.js';
import { SCHEMA_IN_USE } from './schema-in-use.js';
import { found, lintAfter, toMigration } from './sketches.js';

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

  it('is in use for the next migration', () => {
    const labels = { up: [`CREATE TABLE labels (id uuid PRIMARY KEY, name text)`] };
    expect(found(labels, { up: [`CREATE INDEX labels_name_idx ON labels (name)`] })).toEqual([
      'index-not-concurrent',
    ]);
  });

  it('has its new name after it is renamed', () => {
    const renaming = {
      up: [`ALTER TABLE imports RENAME TO loads`],
      source: '// lint-ok: rename-table: no release names it',
    };
    expect(found(renaming, { up: [`ALTER TABLE loads ALTER COLUMN id SET NOT NULL`] })).toEqual([]);
  });
});

describe('the schema that the lint knows', () => {
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
      'a validated NOT NULL constraint counts as NOT NULL',
      [
        { up: [`ALTER TABLE users ADD CONSTRAINT named NOT NULL display_name NOT VALID`] },
        { up: [`ALTER TABLE users VALIDATE CONSTRAINT named`] },
        { up: [`ALTER TABLE users ALTER COLUMN display_name DROP NOT NULL`] },
      ],
      ['drop-not-null'],
    ],
    [
      'a dropped index is not rebuilt',
      [
        { transaction: false, up: [`DROP INDEX CONCURRENTLY public.entries_notes_idx`] },
        { up: [`ALTER TABLE entries ALTER COLUMN notes TYPE text COLLATE "C"`] },
      ],
      [],
    ],
    [
      'the index of a renamed column is rebuilt',
      [renamed, { up: [`ALTER TABLE entries ALTER COLUMN remarks TYPE text COLLATE "C"`] }],
      ['change-column-type'],
    ],
    [
      'a renamed column keeps its type',
      [renamed, { up: [`ALTER TABLE entries ALTER COLUMN remarks TYPE varchar`] }],
      [],
    ],
    [
      'a table is the same with its schema in front',
      [{ up: [`ALTER TABLE public.imports ALTER COLUMN id SET NOT NULL`] }],
      [],
    ],
    [
      'a table of another schema is another table',
      [
        { up: [`CREATE TABLE archive.imports (id integer)`] },
        { up: [`ALTER TABLE archive.imports ALTER COLUMN id SET NOT NULL`] },
      ],
      ['set-not-null'],
    ],
    [
      'an index ON ONLY a partitioned table is no work',
      [{ up: [`CREATE INDEX visits_at_idx ON ONLY visits (at)`] }],
      [],
    ],
  ])('%s', (_what, sketches, rules) => {
    expect(found(...sketches)).toEqual(rules);
  });

  it('an index that becomes a constraint takes the name of the constraint', () => {
    const { findings } = lintAfter(
      { transaction: false, up: [`CREATE UNIQUE INDEX CONCURRENTLY by_email ON users (email)`] },
      { up: [`ALTER TABLE users ADD CONSTRAINT users_email_key UNIQUE USING INDEX by_email`] },
      { up: [`ALTER TABLE users ALTER COLUMN email TYPE varchar(254) COLLATE "C"`] },
    );
    expect(findings.map(({ detail }) => detail)).toEqual([
      'users.email: varchar(254) to varchar(254): index users_email_key is rebuilt',
    ]);
  });
});

describe('down', () => {
  it('may drop what up creates', () => {
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

  it('may not drop what existed before', () => {
    const up = [`ALTER TABLE entries ADD COLUMN pinned boolean`];
    expect(found({ up, down: [`ALTER TABLE entries DROP COLUMN title`] })).toEqual(['drop-column']);
  });

  it('may not lock a table in use, like up', () => {
    const up = [`CREATE INDEX CONCURRENTLY entries_title_idx ON entries (title)`];
    expect(found({ transaction: false, up, down: [`DROP INDEX entries_title_idx`] })).toEqual([
      'drop-index-not-concurrent',
      'not-repeatable',
    ]);
  });

  it('does not hide from the next migration what up creates', () => {
    const first = {
      up: [`ALTER TABLE entries ADD COLUMN pinned boolean NOT NULL DEFAULT false`],
      down: [`ALTER TABLE entries DROP COLUMN pinned`],
    };
    expect(found(first, { up: [`ALTER TABLE entries ALTER COLUMN pinned SET NOT NULL`] })).toEqual([]);
  });

  it('must not be empty when up is not', () => {
    const up = [`ALTER TABLE entries ADD COLUMN pinned boolean`];
    expect(found({ up, down: [] })).toEqual(['missing-down']);
    expect(found({ up: [], down: [] })).toEqual([]);
  });
});

describe('a waiver', () => {
  const up = [`ALTER TABLE entries DROP COLUMN title`, `ALTER TABLE entries DROP COLUMN notes`];

  it('waives every finding of its rule in its file, and is reported with its reason', () => {
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
  ])('is a finding when %s', (_fault, source, rules) => {
    expect(found({ up, source })).toEqual(rules);
  });
});

describe('a finding', () => {
  it('reports the line where the statement starts', () => {
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
      // Built from parts: only the line that sends it is known.
      '12 drop-table',
      '13 drop-index-not-concurrent',
    ]);
  });

  it('explains what is wrong, why, and what to write instead', () => {
    const report = lintAfter({ up: [`ALTER TABLE entries ALTER COLUMN mood TYPE integer`] });
    expect(describeReport(report, 'src/database/migrations')).toBe(`\
src/database/migrations/1.ts:1  change-column-type  ALTER TABLE entries ALTER COLUMN mood TYPE integer
    entries.mood: int2 to int4: every row is rewritten
    The table is rewritten or scanned while nobody can read or write it.
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
  ])('is a finding when it %s', async (_name, up, reason) => {
    const down: Migration['down'] = async (runner) => {
      await runner.query('SELECT 1');
    };
    const linted = {
      ...toMigration({ up: [] }, 1),
      up: await recordingOf({ up, down }, 'up'),
      down: await recordingOf({ up, down }, 'down'),
    };
    const { findings } = lint([toMigration({ up: SCHEMA_IN_USE }, 0), linted], RULES);
    expect(findings).toMatchObject([{ rule: 'unseen', detail: expect.stringContaining(reason) }]);
  });
});
