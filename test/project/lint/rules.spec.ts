import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Client } from 'pg';
import { lint } from '../../../src/migrator/lint/lint.js';
import { RULES } from '../../../src/migrator/lint/rules/rules.js';
import { STEADY_FUNCTIONS } from '../../../src/migrator/lint/volatility.js';
import { createDatabase, onServer } from '../../harness/database/database.js';
import type { Sketch } from './examples.js';
import { INSTEAD } from './instead.js';
import { OWN } from './own.js';
import { ROWS, SCHEMA_IN_USE } from './schema-in-use.js';
import { found, lintAfter, toMigration } from './sketches.js';
import { SQUAWK } from './squawk.js';
import { STRONG_MIGRATIONS } from './strong-migrations.js';

/** PostgreSQL's messages about work that grows with the number of rows. */
const WORK_ON_ALL_ROWS =
  /rewriting table|verifying table|validating foreign key|building index "(?!pg_toast)/;

interface Told {
  readonly query: string;
  readonly messages: string[];
}

/** What PostgreSQL logs while it runs the queries one after the other, with its errors. */
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

/** What PostgreSQL logs while it runs these migrations as the runner does. */
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
    'is confirmed by what PostgreSQL logs: $of -> $postgres',
    async (example) => {
      const told = await messagesOf([example]);
      expect(told.flatMap(({ messages }) => messages).join('\n')).toMatch(example.postgres!);
    },
  );
});

describe('what the lint allows, though squawk or strong_migrations warn of it', () => {
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

describe('the alternative that a rule suggests', () => {
  const names = RULES.map(({ name }) => name);

  it('exists for every rule', () => {
    expect(Object.keys(INSTEAD).sort()).toEqual([...names].sort());
  });

  it.each(names)('%s: the alternative passes', (name) => {
    expect(lintAfter(...INSTEAD[name]!).findings).toEqual([]);
  });

  it.each(names)('%s: PostgreSQL accepts the alternative, and reads no table under a lock', async (name) => {
    for (const { query, messages } of await messagesOf(INSTEAD[name]!)) {
      expect(messages.filter((message) => message.startsWith('ERROR'))).toEqual([]);
      // These read rows without blocking readers and writers, or the table has no rows yet.
      if (/CONCURRENTLY|VALIDATE|^CREATE TABLE/.test(query)) continue;
      expect(messages.join('\n')).not.toMatch(WORK_ON_ALL_ROWS);
    }
  });
});

describe('a change of type', () => {
  // prettier-ignore
  const TYPES = [
    'text', 'varchar', 'varchar(10)', 'varchar(20)', 'bpchar', 'char(10)', 'char(20)', 'name',
    'smallint', 'integer', 'bigint', 'oid', 'real', 'double precision', 'numeric', 'numeric(10,2)', 'numeric(12,2)', 'numeric(12,3)', 'boolean',
    'date', 'time', 'time(3)', 'time with time zone',
    'timestamp', 'timestamp(3)', 'timestamp(6)', 'timestamp with time zone', 'timestamp(3) with time zone', 'timestamp(6) with time zone',
    'interval', 'interval(3)', 'interval(6)', 'bit(3)', 'bit varying', 'bit varying(5)', 'bit varying(8)',
    'inet', 'cidr', 'uuid', 'json', 'jsonb', 'xml', 'bytea',
    'text[]', 'varchar[]', 'varchar(10)[]', 'varchar(20)[]', 'integer[]',
    'nickname', 'label', 'score', 'weather',
  ];

  const OWN_TYPES = [
    `CREATE DOMAIN nickname AS text`,
    `CREATE DOMAIN label AS varchar(10)`,
    `CREATE DOMAIN score AS integer CHECK (VALUE > 0)`,
    `CREATE TYPE weather AS ENUM ('sun', 'rain')`,
  ];

  it('is found exactly when PostgreSQL rewrites the table', async () => {
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
          const { findings } = lint([table, change].map(toMigration), RULES);
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
  it('is constant for all rows only if PostgreSQL marks its function so', async () => {
    const rows = await onServer<{ proname: string; volatile: boolean }>(
      `SELECT proname, bool_or(provolatile = 'v') AS volatile FROM pg_proc
        WHERE pronamespace = 'pg_catalog'::regnamespace AND proname = ANY($1) GROUP BY proname`,
      [[...STEADY_FUNCTIONS]],
    );
    expect(rows.filter(({ volatile }) => volatile)).toEqual([]);
    expect(rows.map(({ proname }) => proname).sort()).toEqual([...STEADY_FUNCTIONS].sort());
  });

  it('may call a function that a migration declares STABLE', () => {
    const up = [
      `CREATE FUNCTION day() RETURNS date LANGUAGE sql STABLE RETURN current_date`,
      `ALTER TABLE entries ADD COLUMN day date NOT NULL DEFAULT day()`,
    ];
    expect(found({ up })).toEqual([]);
  });
});
