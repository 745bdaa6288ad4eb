import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { PasswordsService } from '../../src/auth/passwords/passwords.service.js';
import { loadCommandConfig, loadConfig } from '../../src/config/config.js';
import { migratorOptions } from '../../src/database/migrator-options.js';
import { MIGRATIONS } from '../../src/database/schema-files.js';
import { foldText } from '../../src/entries/search/search-text.js';
import { applyMigrations, revertNewest } from '../../src/migrator/apply/apply-migrations.js';
import { findMigrations } from '../../src/migrator/history/migration-files.js';
import {
  createDatabase,
  onConnection,
  type Connection,
  type TestDatabase,
} from '../harness/database/database.js';
import { startService, TEST_SETTINGS } from '../harness/http/service.js';
import { TEST_SECRET } from '../harness/test-secret.js';

type Row = Readonly<Record<string, unknown>>;

const ADA = '01900000-0000-7000-8000-00000000000a';
const BOB = '01900000-0000-7000-8000-00000000000b';
const entryId = (n: number) => `01900000-0000-7000-8000-0000000001${String(n).padStart(2, '0')}`;

/** Texts that a careless migration would change. */
const TEXTS = [
  'plain',
  'quote " and \' and \\',
  'line\none\r\nline two',
  '  spaces  ',
  'ünïcödé 🌧️ 日本語',
  'Die STRASSE und die Straße, ΟΔΟΣ, İstanbul, مَشَيْتُ',
  '%_$1 {"json":1}',
];

/**
 * Fills the schema as it was after a migration, with what could be stored then. `gains` says what every row of an older
 * version must have in the columns that the migration adds.
 */
const VERSIONS: readonly {
  readonly migration: string;
  readonly gains: Readonly<Record<string, Row>>;
  fill(database: Connection, passwordHash: string): Promise<void>;
}[] = [
  { migration: 'CreateUsersSessionsAndEntries1795555356578', gains: {}, fill: fillBase },
  { migration: 'AddEntryTags1795555381378', gains: { entries: { tags: [] } }, fill: fillTags },
  { migration: 'AddEntryTrash1795555412078', gains: { entries: { deleted_at: null } }, fill: fillTrash },
  { migration: 'IndexEntryTrash1795558661909', gains: {}, fill: fillTrash },
  { migration: 'AddErasedSessions1795567062670', gains: {}, fill: fillErased },
  { migration: 'KeepEntryRollupsAndIdempotencyKeys1795568134211', gains: {}, fill: fillErased },
  { migration: 'FillEntryRollupsAndIndexEntries1795568212846', gains: {}, fill: fillErased },
  { migration: 'AddUnconfirmedScopes1795572747076', gains: {}, fill: fillUnconfirmed },
  { migration: 'AddJournalsAndSearchText1795765179611', gains: {}, fill: fillUnconfirmed },
  { migration: 'FillSearchText1795765180000', gains: {}, fill: fillFolded },
  { migration: 'CheckSearchText1795765181000', gains: {}, fill: fillFolded },
  { migration: 'ValidateSearchText1795765182000', gains: {}, fill: fillFolded },
  { migration: 'DropEntryRollups1795765183000', gains: {}, fill: fillJournals },
  { migration: 'AddSecurityEvents1795987969861', gains: {}, fill: fillEvents },
  { migration: 'AddMails1795988060816', gains: {}, fill: fillMails },
  { migration: 'AddSecondFactors1795988085902', gains: {}, fill: fillSecondFactors },
  {
    migration: 'AddUserRoleAndDisabledAt1795989091147',
    gains: { users: { role: 'user', disabled_at: null } },
    fill: fillRoles,
  },
  { migration: 'AddAccountTokens1795989187659', gains: {}, fill: fillTokens },
  {
    migration: 'AddEmailVerifiedAt1795990122406',
    gains: { users: { email_verified_at: null } },
    fill: fillVerified,
  },
  { migration: 'LengthenPendingListOfSearch1796047220675', gains: {}, fill: fillVerified },
];

async function fillBase(database: Connection, passwordHash: string, folded = false): Promise<void> {
  await database.query(
    `INSERT INTO users (id, email, password_hash, display_name, timezone, created_at, updated_at) VALUES
       ($1, 'ada@example.org', $3, 'Ada ''Lovelace''', 'Europe/London', '2020-01-01 00:00:00.123Z', '2021-06-01Z'),
       ($2, 'bob@example.org', $3, NULL, DEFAULT, '2020-01-02Z', '2020-01-02Z')`,
    [ADA, BOB, passwordHash],
  );
  await database.query(
    `INSERT INTO sessions (id, user_id, refresh_token_hash, previous_refresh_token_hash, ip, user_agent, expires_at, ended_at)
     VALUES ($1, $1, '\\x00ff', NULL, '::1', 'curl', '2999-01-01Z', NULL),
            ($2, $2, '\\xabcd', '\\x0102', NULL, NULL, '2020-02-01Z', '2020-01-05 10:00:00.001Z')`,
    [ADA, BOB],
  );
  for (const [index, text] of TEXTS.entries()) {
    await database.query(
      `INSERT INTO entries (id, user_id, text, mood, category, occurred_at, created_at, updated_at, version${
        folded ? ', search_text' : ''
      }) VALUES ($1, $2, $3, $4, $5, $6, $6, $6, $7${folded ? ', $8' : ''})`,
      [
        entryId(index),
        index % 2 === 0 ? ADA : BOB,
        text,
        (index % 10) + 1,
        index === 0 ? 'general' : 'health',
        `19${70 + index}-03-29T01:59:59.999Z`,
        index + 1,
        ...(folded ? [foldText(text)] : []),
      ],
    );
  }
}

async function fillTags(database: Connection, passwordHash: string, folded = false): Promise<void> {
  await fillBase(database, passwordHash, folded);
  await database.query('UPDATE entries SET tags = $1 WHERE id = $2', [['a "b"', 'c,d', 'é'], entryId(1)]);
}

async function fillTrash(database: Connection, passwordHash: string, folded = false): Promise<void> {
  await fillTags(database, passwordHash, folded);
  await database.query(`UPDATE entries SET deleted_at = '2026-11-20 12:00:00.5Z' WHERE id = $1`, [
    entryId(2),
  ]);
}

async function fillErased(database: Connection, passwordHash: string, folded = false): Promise<void> {
  await fillTrash(database, passwordHash, folded);
  await database.query(`INSERT INTO erased_sessions (id, erased_at) VALUES ($1, '2999-01-01Z')`, [
    entryId(90),
  ]);
}

async function fillUnconfirmed(database: Connection, passwordHash: string): Promise<void> {
  await fillErased(database, passwordHash);
  await database.query(`INSERT INTO unconfirmed_scopes (scope, mark) VALUES ($1, $2)`, [ADA, ADA]);
}

async function fillFolded(database: Connection, passwordHash: string): Promise<void> {
  await fillErased(database, passwordHash, true);
}

async function fillJournals(database: Connection, passwordHash: string): Promise<void> {
  await fillFolded(database, passwordHash);
  await database.query('INSERT INTO journals (user_id, revision) VALUES ($1, 1795765183000000)', [ADA]);
}

async function fillEvents(database: Connection, passwordHash: string): Promise<void> {
  await fillJournals(database, passwordHash);
  await database.query(
    `INSERT INTO security_events (id, user_id, type, network, user_agent, actor_id, details) VALUES
       ($1, $1, 'sign-in', '2001:db8::/64', 'curl', NULL, '{"sessionId": "x"}'), ($2, $2, 'disabled', NULL, NULL, $1, '{}')`,
    [ADA, BOB],
  );
}

async function fillMails(database: Connection, passwordHash: string): Promise<void> {
  await fillEvents(database, passwordHash);
  await database.query(
    `INSERT INTO mails (id, template, recipient, user_id, data, created_at, next_attempt_at)
     VALUES ($1, 'password-changed', 'ada@example.org', $1, '{"ip": "::1"}', '2999-01-01Z', '2999-01-01Z')`,
    [ADA],
  );
}

/** Of the user who does not sign in here. */
async function fillSecondFactors(database: Connection, passwordHash: string): Promise<void> {
  await fillMails(database, passwordHash);
  await database.query(
    `INSERT INTO second_factors (user_id, secret, enabled_at, last_used_step) VALUES ($1, '\\x00ff', '2020-01-03Z', 7)`,
    [BOB],
  );
  await database.query(`INSERT INTO recovery_codes (user_id, code_hash) VALUES ($1, '\\x0102')`, [BOB]);
}

async function fillTokens(database: Connection, passwordHash: string): Promise<void> {
  await fillRoles(database, passwordHash);
  await database.query(
    `INSERT INTO account_tokens (user_id, purpose, email, mail_id, token_hash, expires_at, used_at)
     VALUES ($1, 'reset-password', 'ada@example.org', $1, '\\x00ff', '2999-01-01Z', NULL),
            ($2, 'reset-password', 'bob@example.org', $2, NULL, NULL, '2020-01-01Z')`,
    [ADA, BOB],
  );
}

const TABLES = [
  'users',
  'sessions',
  'entries',
  'erased_sessions',
  'journals',
  'unconfirmed_scopes',
  'security_events',
  'mails',
  'second_factors',
  'recovery_codes',
  'account_tokens',
];

async function fillRoles(database: Connection, passwordHash: string): Promise<void> {
  await fillSecondFactors(database, passwordHash);
  await database.query(`UPDATE users SET role = 'admin' WHERE id = $1`, [ADA]);
  await database.query(`UPDATE users SET disabled_at = '2026-11-29 12:00:00.5Z' WHERE id = $1`, [BOB]);
}

async function fillVerified(database: Connection, passwordHash: string): Promise<void> {
  await fillTokens(database, passwordHash);
  await database.query(`UPDATE users SET email_verified_at = '2026-11-29 12:00:00.5Z' WHERE id = $1`, [ADA]);
}

async function rowsOf({ url }: TestDatabase): Promise<Readonly<Record<string, Row[]>>> {
  return onConnection(url, async ({ query }) => {
    const tables: Record<string, Row[]> = {};
    for (const table of TABLES) {
      const [found] = await query<{ there: boolean }>('SELECT to_regclass($1) IS NOT NULL AS there', [table]);
      if (found?.there) tables[table] = await query<Row>(`SELECT * FROM ${table} ORDER BY 1`);
    }
    return tables;
  });
}

/** What every entry has at the newest version. */
function foldedOf(row: Row): Row {
  return 'mood' in row ? { search_text: foldText(String(row['text'])) } : {};
}

const SILENT = { info: () => {}, warn: () => {} };

function optionsFor(database: TestDatabase) {
  return migratorOptions(loadCommandConfig({ DATABASE_URL: database.url }));
}

/** Migrates as the release did whose newest migration was `newest`. */
async function migrateTo(newest: string, database: TestDatabase): Promise<void> {
  const limit = Number(newest.slice(-13));
  const files = (await findMigrations(MIGRATIONS)).filter(({ timestamp }) => timestamp <= limit);
  await applyMigrations(optionsFor(database), SILENT, undefined, files);
}

const PASSWORD = 'correct horse battery';
let passwordHash: string;
/** Is at each version in turn, for the tests to copy. */
let schema: TestDatabase;

beforeAll(async () => {
  const { ARGON2_MEMORY_KIB, ARGON2_TIME_COST } = TEST_SETTINGS;
  schema = await createDatabase();
  const config = loadConfig({
    DATABASE_URL: schema.url,
    JWT_SECRET: TEST_SECRET,
    ARGON2_MEMORY_KIB,
    ARGON2_TIME_COST,
  });
  passwordHash = await new PasswordsService(config).hash(PASSWORD);
});
afterAll(() => schema.drop());

describe('the history of the schema', () => {
  it('has a version here for each migration', async () => {
    expect(VERSIONS.map(({ migration }) => migration)).toEqual(
      (await findMigrations(MIGRATIONS)).map(({ name }) => name),
    );
  });

  it.each(VERSIONS.map((version, index) => [version.migration, version, index] as const))(
    'rows stored at %s are all there at the newest, with the right values, and are served',
    async (_name, version, index) => {
      await migrateTo(version.migration, schema);
      const database = await createDatabase(schema.name);
      try {
        await onConnection(database.url, (connection) => version.fill(connection, passwordHash));
        const before = await rowsOf(database);

        // The newest release boots on it, and migrates as it does so.
        const service = await startService({}, database);
        const after = await rowsOf(database);
        for (const [table, rows] of Object.entries(before)) {
          const gained = VERSIONS.slice(index + 1).reduce<Row>(
            (sum, { gains }) => ({ ...sum, ...gains[table] }),
            {},
          );
          // Marks of a cache that there is no more.
          if (table === 'unconfirmed_scopes') expect(after[table]).toBeUndefined();
          else expect(after[table]).toEqual(rows.map((row) => ({ ...row, ...gained, ...foldedOf(row) })));
        }

        const { body } = await service.anonymous.post('/auth/login', {
          email: 'ada@example.org',
          password: PASSWORD,
        });
        const { body: page } = await service.anonymous
          .withToken(body.accessToken)
          .get('/entries?sort=occurredAt');
        const expected = after['entries']!.filter(
          (row) => row['user_id'] === ADA && row['deleted_at'] === null,
        );
        expect(page.entries.map(({ text, tags }: Row) => ({ text, tags }))).toEqual(
          expected.map(({ text, tags }) => ({ text, tags })),
        );
        const { body: found } = await service.anonymous
          .withToken(body.accessToken)
          .get(`/entries?q=${encodeURIComponent('"LINE ONE" two')}`);
        expect(found.entries.map(({ text }: Row) => text)).toEqual(
          expected.map(({ text }) => text).filter((text) => String(text).includes('line two')),
        );
        await service.close();
      } finally {
        await database.drop();
      }
    },
  );

  it('can be taken back to the release before: rows stay, and its rollups count them', async () => {
    const database = await createDatabase();
    try {
      const [before, after] = ['AddUnconfirmedScopes1795572747076', VERSIONS.at(-1)!.migration];
      await migrateTo(before, database);
      await fillErased(database, passwordHash);
      const rollups = async () => [
        await database.query('SELECT * FROM entry_days ORDER BY user_id, day'),
        await database.query('SELECT * FROM entry_labels ORDER BY user_id, month, kind, label'),
      ];
      const [rows, counted] = [await rowsOf(database), await rollups()];
      expect(counted.flat().length).toBeGreaterThan(0);
      await migrateTo(after, database);
      const newer = VERSIONS.length - 1 - VERSIONS.findIndex(({ migration }) => migration === before);
      for (let step = 0; step < newer; step += 1) await revertNewest(optionsFor(database), SILENT);
      expect(await rowsOf(database)).toEqual(rows);
      expect(await rollups()).toEqual(counted);
      await migrateTo(after, database);
      expect((await rowsOf(database))['entries']).toEqual(
        rows['entries']!.map((row) => ({ ...row, ...foldedOf(row) })),
      );
    } finally {
      await database.drop();
    }
  });
});
