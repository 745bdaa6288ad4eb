/** A schema in use, in which each case below is one migration more. The first migration of every run of the lint. */
export const SCHEMA_IN_USE: readonly string[] = [
  `CREATE SCHEMA archive`,
  `CREATE EXTENSION IF NOT EXISTS plpgsql`,
  `CREATE TYPE weather AS ENUM ('sun', 'rain')`,
  `CREATE TYPE address AS (street text)`,
  `CREATE DOMAIN score AS integer CHECK (VALUE > 0)`,
  `CREATE DOMAIN nickname AS text`,
  `CREATE SEQUENCE receipts`,
  `CREATE FUNCTION mood_word(integer) RETURNS text LANGUAGE sql IMMUTABLE RETURN 'good'`,
  `CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'`,
  `CREATE TABLE users (
     id uuid PRIMARY KEY,
     email varchar(254) NOT NULL,
     display_name varchar(100)
   )`,
  `CREATE TABLE entries (
     id uuid PRIMARY KEY,
     user_id uuid NOT NULL,
     text text NOT NULL,
     mood smallint NOT NULL,
     category varchar(50) NOT NULL DEFAULT 'general',
     title varchar(50),
     color varchar(20) CONSTRAINT entries_color_check CHECK (color <> ''),
     notes text,
     rating numeric(4,2),
     occurred_at timestamptz(3) NOT NULL DEFAULT now(),
     deleted_at timestamptz(3),
     text_length integer GENERATED ALWAYS AS (length(text)) STORED
   )`,
  `CREATE INDEX entries_notes_idx ON entries (notes)`,
  `CREATE INDEX entries_deleted_at_idx ON entries (deleted_at) WHERE deleted_at IS NOT NULL`,
  `CREATE TRIGGER entries_touch BEFORE UPDATE ON entries FOR EACH ROW EXECUTE FUNCTION touch()`,
  `CREATE POLICY entries_of_user ON entries USING (true)`,
  `CREATE TABLE sessions (
     id uuid PRIMARY KEY,
     user_id uuid,
     started_at timestamptz,
     ended_at timestamptz,
     weather weather
   )`,
  `CREATE VIEW open_sessions AS SELECT id FROM sessions`,
  `CREATE TABLE imports (id integer NOT NULL, label text)`,
  `CREATE UNIQUE INDEX imports_label_idx ON imports (label)`,
  `CREATE TABLE visits (at timestamptz NOT NULL) PARTITION BY RANGE (at)`,
  `CREATE TABLE visits_2025 PARTITION OF visits FOR VALUES FROM ('2025-01-01') TO ('2026-01-01')`,
  `CREATE MATERIALIZED VIEW mood_counts AS SELECT mood, count(*) FROM entries GROUP BY mood`,
  `CREATE UNIQUE INDEX mood_counts_mood_idx ON mood_counts (mood)`,
];

/** Rows for PostgreSQL to work on. */
export const ROWS: readonly string[] = [
  `INSERT INTO users (id, email) VALUES (gen_random_uuid(), 'a@example.com')`,
  `INSERT INTO entries (id, user_id, text, mood) SELECT gen_random_uuid(), id, 'x', 5 FROM users`,
  `INSERT INTO sessions (id, user_id) SELECT gen_random_uuid(), id FROM users`,
  `INSERT INTO imports (id, label) VALUES (1, 'a')`,
];
