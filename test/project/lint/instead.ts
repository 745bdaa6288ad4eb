import type { Sketch } from './examples.js';

/** What each rule says to write instead: migrations that follow one another. */
export const INSTEAD: Readonly<Record<string, readonly Sketch[]>> = {
  'index-not-concurrent': [
    { transaction: false, up: [`CREATE INDEX CONCURRENTLY entries_title_idx ON entries (title)`] },
  ],
  'drop-index-not-concurrent': [{ transaction: false, up: [`DROP INDEX CONCURRENTLY entries_notes_idx`] }],
  'reindex-not-concurrent': [{ transaction: false, up: [`REINDEX TABLE CONCURRENTLY entries`] }],
  'add-required-column': [{ up: [`ALTER TABLE entries ADD COLUMN public boolean NOT NULL DEFAULT false`] }],
  'add-volatile-default': [
    {
      up: [
        `ALTER TABLE users ADD COLUMN handle uuid`,
        `ALTER TABLE users ALTER COLUMN handle SET DEFAULT gen_random_uuid()`,
        `ALTER TABLE users ADD COLUMN joined_at timestamptz NOT NULL DEFAULT now()`,
      ],
    },
    { transaction: false, up: [`UPDATE users SET handle = gen_random_uuid() WHERE handle IS NULL`] },
  ],
  'add-serial-column': [
    { up: [`ALTER TABLE imports ADD COLUMN number bigint`] },
    { transaction: false, up: [`UPDATE imports SET number = id WHERE number IS NULL`] },
    {
      up: [
        `CREATE SEQUENCE imports_number_seq OWNED BY imports.number`,
        `ALTER TABLE imports ALTER COLUMN number SET DEFAULT nextval('imports_number_seq')`,
      ],
    },
  ],
  'stored-column': [
    { up: [`ALTER TABLE entries ADD COLUMN shouted text GENERATED ALWAYS AS (upper(text)) VIRTUAL`] },
  ],
  'add-domain-column': [
    { up: [`ALTER TABLE entries ADD COLUMN points integer`, `ALTER TABLE users ADD COLUMN nick nickname`] },
    { up: [`ALTER TABLE entries ADD CONSTRAINT entries_points_check CHECK (points > 0) NOT VALID`] },
    { up: [`ALTER TABLE entries VALIDATE CONSTRAINT entries_points_check`] },
  ],
  'set-not-null': [
    {
      up: [
        `ALTER TABLE imports ADD CONSTRAINT imports_label_given CHECK (label IS NOT NULL) NOT VALID`,
        `ALTER TABLE users ADD CONSTRAINT users_named NOT NULL display_name NOT VALID`,
      ],
    },
    {
      up: [
        `ALTER TABLE imports VALIDATE CONSTRAINT imports_label_given`,
        `UPDATE users SET display_name = '' WHERE display_name IS NULL`,
        `ALTER TABLE users VALIDATE CONSTRAINT users_named`,
      ],
    },
    {
      up: [
        `ALTER TABLE imports ALTER COLUMN label SET NOT NULL`,
        `ALTER TABLE imports DROP CONSTRAINT imports_label_given`,
        `ALTER TABLE users ALTER COLUMN display_name SET NOT NULL`,
      ],
      down: [
        `ALTER TABLE imports ADD CONSTRAINT imports_label_given CHECK (label IS NOT NULL) NOT VALID`,
        `ALTER TABLE imports ALTER COLUMN label DROP NOT NULL`,
      ],
    },
  ],
  'change-column-type': [
    {
      up: [
        `ALTER TABLE entries ALTER COLUMN title TYPE varchar(80), ALTER COLUMN rating TYPE numeric(6,2)`,
        `ALTER TABLE users ALTER COLUMN display_name TYPE text USING display_name::text`,
      ],
    },
  ],
  'constraint-not-valid': [
    {
      up: [
        `ALTER TABLE sessions ADD CONSTRAINT sessions_user_fk FOREIGN KEY (user_id) REFERENCES users NOT VALID`,
      ],
    },
    {
      up: [
        `ALTER TABLE sessions VALIDATE CONSTRAINT sessions_user_fk`,
        `ALTER TABLE sessions VALIDATE CONSTRAINT sessions_user_fk`,
      ],
    },
  ],
  'unique-without-index': [
    { transaction: false, up: [`CREATE UNIQUE INDEX CONCURRENTLY users_email_key ON users (email)`] },
    { transaction: false, up: [`CREATE UNIQUE INDEX CONCURRENTLY imports_pkey ON imports (id)`] },
    {
      up: [
        `ALTER TABLE users ADD CONSTRAINT users_email_key UNIQUE USING INDEX users_email_key`,
        `ALTER TABLE imports ADD CONSTRAINT imports_pkey PRIMARY KEY USING INDEX imports_pkey`,
      ],
    },
  ],
  'add-exclusion': [{ up: [`CREATE TABLE stays (during tstzrange, EXCLUDE USING gist (during WITH &&))`] }],
  'work-under-lock': [
    { up: [`ALTER TABLE entries ADD COLUMN language text`] },
    { up: [`UPDATE entries SET language = 'en' WHERE language IS NULL`] },
  ],
  'not-in-transaction': [{ transaction: false, up: [`VACUUM entries`] }],
  'not-repeatable': [
    {
      transaction: false,
      up: [
        `ALTER TABLE users ADD COLUMN IF NOT EXISTS billing_email text`,
        `CREATE INDEX CONCURRENTLY users_billing_email_idx ON users (billing_email)`,
        `ALTER TABLE users DROP CONSTRAINT IF EXISTS users_billing_email_check`,
        `ALTER TABLE users ADD CONSTRAINT users_billing_email_check CHECK (billing_email <> '') NOT VALID`,
        `ALTER TABLE users VALIDATE CONSTRAINT users_billing_email_check`,
      ],
    },
  ],
  'transaction-statement': [
    { up: [`SAVEPOINT before`, `ALTER TABLE entries ADD COLUMN pinned boolean`, `RELEASE before`] },
  ],
  'enum-value-used': [
    { up: [`ALTER TYPE weather ADD VALUE 'fog'`] },
    { up: [`UPDATE sessions SET weather = 'fog' WHERE weather = 'rain'`] },
  ],
  'lock-table': [{ up: [`LOCK TABLE entries IN ROW EXCLUSIVE MODE`] }],
  'rewrite-table': [
    { transaction: false, up: [`VACUUM (ANALYZE) entries`] },
    { up: [`REFRESH MATERIALIZED VIEW CONCURRENTLY mood_counts`] },
  ],
  'detach-partition': [
    {
      transaction: false,
      up: [`ALTER TABLE visits DETACH PARTITION visits_2025 CONCURRENTLY`],
      source: '// lint-ok: not-repeatable: broken off, it is finished by DETACH … FINALIZE',
    },
  ],
  'disable-trigger': [{ up: [`ALTER TABLE entries ENABLE TRIGGER entries_touch`] }],
  'drop-column': [
    {
      up: [`ALTER TABLE entries DROP COLUMN title`],
      source: '// lint-ok: drop-column: no release since 1.4 names it',
    },
  ],
  'drop-table': [
    { up: [`DROP TABLE imports`], source: '// lint-ok: drop-table: no release since 1.4 names it' },
  ],
  'drop-object': [
    { up: [`DROP VIEW open_sessions`], source: '// lint-ok: drop-object: no release since 1.4 names it' },
  ],
  'drop-cascade': [
    {
      up: [`DROP VIEW open_sessions`, `ALTER TABLE users DROP CONSTRAINT users_pkey`],
      source: '// lint-ok: drop-object: no release since 1.4 names it',
    },
  ],
  'rename-column': [
    { up: [`ALTER TABLE entries ADD COLUMN headline varchar(50)`] },
    { transaction: false, up: [`UPDATE entries SET headline = title WHERE headline IS NULL`] },
  ],
  'rename-table': [{ up: [`CREATE VIEW customers AS SELECT id, email FROM users`] }],
  'rename-object': [{ up: [`CREATE VIEW live_sessions AS SELECT id FROM sessions`] }],
  'drop-not-null': [
    {
      up: [`ALTER TABLE entries ALTER COLUMN category DROP NOT NULL`],
      source: '// lint-ok: drop-not-null: every release since 1.4 reads NULL as general',
    },
  ],
  'drop-default': [
    {
      up: [`ALTER TABLE entries ALTER COLUMN category DROP DEFAULT`],
      source: '// lint-ok: drop-default: every release since 1.4 writes the category',
    },
  ],
  truncate: [{ transaction: false, up: [`DELETE FROM sessions WHERE ended_at < '2020-01-01'`] }],
  'whole-table-write': [{ transaction: false, up: [`UPDATE entries SET notes = '' WHERE notes IS NULL`] }],
  'json-type': [{ up: [`ALTER TABLE users ADD COLUMN properties jsonb`] }],
  'char-type': [{ up: [`CREATE TABLE labels (id uuid PRIMARY KEY, name varchar(100), code text)`] }],
  'timestamp-type': [{ up: [`ALTER TABLE entries ADD COLUMN read_at timestamp with time zone`] }],
  'small-key': [{ up: [`CREATE TABLE labels (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY)`] }],
  'long-name': [{ up: [`CREATE TABLE labels_of_entries (id uuid PRIMARY KEY)`] }],
  'does-not-parse': [{ up: [`ALTER TABLE entries ADD COLUMN IF NOT EXISTS pinned boolean`] }],
  unseen: [{ up: [`CREATE FUNCTION two() RETURNS integer LANGUAGE sql RETURN 2`] }],
  'missing-down': [
    {
      up: [`ALTER TABLE entries ADD COLUMN pinned boolean`],
      down: [`ALTER TABLE entries DROP COLUMN pinned`],
    },
  ],
};
