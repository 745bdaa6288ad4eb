import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Client } from 'pg';
import { differences, readCatalog } from '../../src/migrator/verify/catalog.js';
import { createDatabase, type TestDatabase } from '../harness/database/database.js';

/** In full, as reading the catalog empties the search path. */
const SCHEMA = `
  CREATE TYPE public.weather AS ENUM ('sun', 'rain');
  CREATE DOMAIN public.rating AS smallint CONSTRAINT rating_check CHECK (VALUE > 0);
  CREATE SEQUENCE public.ticket;
  CREATE TABLE public.users (id uuid CONSTRAINT users_pkey PRIMARY KEY, email varchar(254) NOT NULL);
  CREATE TABLE public.entries (
    id uuid CONSTRAINT entries_pkey PRIMARY KEY,
    user_id uuid NOT NULL CONSTRAINT entries_user_id_fkey REFERENCES public.users ON DELETE CASCADE,
    text text NOT NULL,
    mood smallint NOT NULL DEFAULT 5 CONSTRAINT entries_mood_check CHECK (mood < 11),
    words integer GENERATED ALWAYS AS (length(text)) STORED,
    deleted_at timestamptz(3)
  );
  CREATE INDEX entries_user_id_idx ON public.entries (user_id);
  CREATE INDEX entries_deleted_at_idx ON public.entries (deleted_at) WHERE deleted_at IS NOT NULL;
  CREATE VIEW public.answers AS SELECT 42 AS answer;
  CREATE FUNCTION public.touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
  CREATE TRIGGER entries_touch BEFORE UPDATE ON public.entries FOR EACH ROW EXECUTE FUNCTION public.touch();
  COMMENT ON COLUMN public.entries.text IS 'a page';
`;

let database: TestDatabase;
let client: Client;

beforeAll(async () => {
  database = await createDatabase();
  client = new Client({ connectionString: database.url });
  await client.connect();
  await client.query(SCHEMA);
});
afterAll(async () => {
  await client.end();
  await database.drop();
});
beforeEach(() => client.query('BEGIN'));
afterEach(() => client.query('ROLLBACK'));

const catalog = () => readCatalog(async (text) => (await client.query(text)).rows);

async function changesOf(sql: string): Promise<string[]> {
  const before = await catalog();
  await client.query(sql);
  return differences(before, await catalog());
}

const ENTRIES = 'ALTER TABLE public.entries';
const FKEY =
  'constraint public.entries.entries_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id)';
const TRIGGER =
  'trigger public.entries.entries_touch CREATE TRIGGER entries_touch BEFORE UPDATE ON public.entries ' +
  'FOR EACH ROW EXECUTE FUNCTION public.touch()';
const INDEX = 'CREATE INDEX entries_user_id_idx ON public.entries USING btree (user_id';
const SEQUENCE = 'MINVALUE 1 MAXVALUE 9223372036854775807 CACHE 1';

describe('the catalog changes with', () => {
  it.each<[what: string, sql: string, changes: readonly unknown[]]>([
    ['a schema', 'CREATE SCHEMA archive', ['+ schema archive']],
    [
      'a table',
      'CREATE TABLE public.tags (name text)',
      ['+ column public.tags.name text', '+ table public.tags'],
    ],
    [
      "a table's storage parameter",
      `${ENTRIES} SET (fillfactor = 70)`,
      ['- table public.entries', '+ table public.entries WITH (fillfactor=70)'],
    ],
    ['a column', `${ENTRIES} ADD place text`, ['+ column public.entries.place text']],
    [
      "a column's name",
      `${ENTRIES} RENAME words TO length`,
      [
        '+ column public.entries.length integer GENERATED ALWAYS AS (length(text)) STORED',
        '- column public.entries.words integer GENERATED ALWAYS AS (length(text)) STORED',
      ],
    ],
    [
      "a column's type",
      `${ENTRIES} ALTER mood TYPE integer`,
      [
        '- column public.entries.mood smallint NOT NULL DEFAULT 5',
        '+ column public.entries.mood integer NOT NULL DEFAULT 5',
      ],
    ],
    [
      "a type's length",
      'ALTER TABLE public.users ALTER email TYPE varchar(255)',
      [
        '- column public.users.email character varying(254) NOT NULL',
        '+ column public.users.email character varying(255) NOT NULL',
      ],
    ],
    [
      "a type's precision",
      `${ENTRIES} ALTER deleted_at TYPE timestamptz`,
      [
        '- column public.entries.deleted_at timestamp(3) with time zone',
        '+ column public.entries.deleted_at timestamp with time zone',
      ],
    ],
    [
      'a collation',
      'ALTER TABLE public.users ALTER email TYPE varchar(254) COLLATE "C"',
      [
        '- column public.users.email character varying(254) NOT NULL',
        '+ column public.users.email character varying(254) COLLATE "C" NOT NULL',
      ],
    ],
    [
      'a default',
      `${ENTRIES} ALTER mood SET DEFAULT 6`,
      [
        '- column public.entries.mood smallint NOT NULL DEFAULT 5',
        '+ column public.entries.mood smallint NOT NULL DEFAULT 6',
      ],
    ],
    [
      'a default that is dropped',
      `${ENTRIES} ALTER mood DROP DEFAULT`,
      [
        '- column public.entries.mood smallint NOT NULL DEFAULT 5',
        '+ column public.entries.mood smallint NOT NULL',
      ],
    ],
    [
      'nullability',
      `${ENTRIES} ALTER mood DROP NOT NULL`,
      [
        '- column public.entries.mood smallint NOT NULL DEFAULT 5',
        '+ column public.entries.mood smallint DEFAULT 5',
      ],
    ],
    [
      "a generated column's expression",
      `${ENTRIES} DROP words, ADD words integer GENERATED ALWAYS AS (length(text) + 1) STORED`,
      [
        '- column public.entries.words integer GENERATED ALWAYS AS (length(text)) STORED',
        '+ column public.entries.words integer GENERATED ALWAYS AS ((length(text) + 1)) STORED',
      ],
    ],
    [
      'a generated column that becomes a common one',
      `${ENTRIES} ALTER words DROP EXPRESSION`,
      [
        '- column public.entries.words integer GENERATED ALWAYS AS (length(text)) STORED',
        '+ column public.entries.words integer',
      ],
    ],
    [
      'an identity column',
      'ALTER TABLE public.users ADD number integer GENERATED BY DEFAULT AS IDENTITY',
      [
        '+ column public.users.number integer NOT NULL GENERATED BY DEFAULT AS IDENTITY',
        '+ sequence public.users_number_seq integer START 1 INCREMENT 1 MINVALUE 1 MAXVALUE 2147483647 CACHE 1 ' +
          'OWNED BY public.users.number',
      ],
    ],
    [
      "a column's storage",
      `${ENTRIES} ALTER text SET STORAGE EXTERNAL`,
      ['- column public.entries.text text NOT NULL', '+ column public.entries.text text NOT NULL STORAGE e'],
    ],
    [
      "a check's expression",
      `${ENTRIES} DROP CONSTRAINT entries_mood_check, ADD CONSTRAINT entries_mood_check CHECK (mood < 12)`,
      [
        '- constraint public.entries.entries_mood_check CHECK ((mood < 11))',
        '+ constraint public.entries.entries_mood_check CHECK ((mood < 12))',
      ],
    ],
    [
      'a check that is not validated',
      `${ENTRIES} DROP CONSTRAINT entries_mood_check,
         ADD CONSTRAINT entries_mood_check CHECK (mood < 11) NOT VALID`,
      [
        '- constraint public.entries.entries_mood_check CHECK ((mood < 11))',
        '+ constraint public.entries.entries_mood_check CHECK ((mood < 11)) NOT VALID',
      ],
    ],
    [
      "a constraint's name",
      `${ENTRIES} RENAME CONSTRAINT entries_mood_check TO mood_check`,
      [
        '- constraint public.entries.entries_mood_check CHECK ((mood < 11))',
        '+ constraint public.entries.mood_check CHECK ((mood < 11))',
      ],
    ],
    [
      "a foreign key's action",
      `${ENTRIES} DROP CONSTRAINT entries_user_id_fkey,
         ADD CONSTRAINT entries_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users ON DELETE RESTRICT`,
      [`- ${FKEY} ON DELETE CASCADE`, `+ ${FKEY} ON DELETE RESTRICT`],
    ],
    [
      'a constraint that can be deferred',
      `${ENTRIES} ALTER CONSTRAINT entries_user_id_fkey DEFERRABLE`,
      [`- ${FKEY} ON DELETE CASCADE`, `+ ${FKEY} ON DELETE CASCADE DEFERRABLE`],
    ],
    [
      'a unique constraint',
      'ALTER TABLE public.users ADD CONSTRAINT users_email_key UNIQUE (email)',
      [
        '+ constraint public.users.users_email_key UNIQUE (email)',
        '+ index public.users_email_key CREATE UNIQUE INDEX users_email_key ON public.users USING btree (email)',
      ],
    ],
    ['an index', 'DROP INDEX public.entries_user_id_idx', [`- index public.entries_user_id_idx ${INDEX})`]],
    [
      'an index that becomes unique',
      `DROP INDEX public.entries_user_id_idx;
       CREATE UNIQUE INDEX entries_user_id_idx ON public.entries (user_id)`,
      [
        `- index public.entries_user_id_idx ${INDEX})`,
        `+ index public.entries_user_id_idx ${INDEX.replace('CREATE', 'CREATE UNIQUE')})`,
      ],
    ],
    [
      "an index's order",
      `DROP INDEX public.entries_user_id_idx;
       CREATE INDEX entries_user_id_idx ON public.entries (user_id DESC)`,
      [`- index public.entries_user_id_idx ${INDEX})`, `+ index public.entries_user_id_idx ${INDEX} DESC)`],
    ],
    [
      "an index's predicate",
      `DROP INDEX public.entries_deleted_at_idx;
       CREATE INDEX entries_deleted_at_idx ON public.entries (deleted_at)`,
      [
        '- index public.entries_deleted_at_idx CREATE INDEX entries_deleted_at_idx ON public.entries ' +
          'USING btree (deleted_at) WHERE (deleted_at IS NOT NULL)',
        '+ index public.entries_deleted_at_idx CREATE INDEX entries_deleted_at_idx ON public.entries ' +
          'USING btree (deleted_at)',
      ],
    ],
    [
      'an index that is invalid',
      `UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'public.entries_user_id_idx'::regclass`,
      [
        `- index public.entries_user_id_idx ${INDEX})`,
        `+ index public.entries_user_id_idx ${INDEX}) INVALID`,
      ],
    ],
    [
      'a sequence',
      'ALTER SEQUENCE public.ticket INCREMENT 2',
      [
        `- sequence public.ticket bigint START 1 INCREMENT 1 ${SEQUENCE}`,
        `+ sequence public.ticket bigint START 1 INCREMENT 2 ${SEQUENCE}`,
      ],
    ],
    [
      'the column that a sequence belongs to',
      'ALTER SEQUENCE public.ticket OWNED BY public.entries.mood',
      [
        `- sequence public.ticket bigint START 1 INCREMENT 1 ${SEQUENCE}`,
        `+ sequence public.ticket bigint START 1 INCREMENT 1 ${SEQUENCE} OWNED BY public.entries.mood`,
      ],
    ],
    [
      'an enum label',
      `ALTER TYPE public.weather ADD VALUE 'snow'`,
      [`- enum public.weather ('sun', 'rain')`, `+ enum public.weather ('sun', 'rain', 'snow')`],
    ],
    [
      "an enum label's place",
      `ALTER TYPE public.weather RENAME VALUE 'sun' TO 'snow';
       ALTER TYPE public.weather RENAME VALUE 'rain' TO 'sun';
       ALTER TYPE public.weather RENAME VALUE 'snow' TO 'rain'`,
      [`- enum public.weather ('sun', 'rain')`, `+ enum public.weather ('rain', 'sun')`],
    ],
    [
      'a domain',
      'ALTER DOMAIN public.rating SET DEFAULT 5',
      ['- domain public.rating smallint', '+ domain public.rating smallint DEFAULT 5'],
    ],
    [
      "a domain's check",
      'ALTER DOMAIN public.rating DROP CONSTRAINT rating_check',
      ['- constraint public.rating.rating_check CHECK ((VALUE > 0))'],
    ],
    [
      'a composite type',
      'CREATE TYPE public.pair AS (one integer)',
      ['+ column public.pair.one integer', '+ composite type public.pair'],
    ],
    [
      'a view',
      'CREATE OR REPLACE VIEW public.answers AS SELECT 43 AS answer',
      ['- view public.answers AS SELECT 42 AS answer;', '+ view public.answers AS SELECT 43 AS answer;'],
    ],
    [
      'a materialized view',
      'CREATE MATERIALIZED VIEW public.kept AS SELECT 1 AS one',
      ['+ materialized view public.kept AS SELECT 1 AS one;'],
    ],
    [
      "a function's body",
      `CREATE OR REPLACE FUNCTION public.touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN OLD; END'`,
      [
        expect.stringMatching(/^- function [^]*RETURN NEW/),
        expect.stringMatching(/^\+ function [^]*RETURN OLD/),
      ],
    ],
    ['a trigger', 'DROP TRIGGER entries_touch ON public.entries', [`- ${TRIGGER}`]],
    [
      'a trigger that is disabled',
      `${ENTRIES} DISABLE TRIGGER entries_touch`,
      [`- ${TRIGGER}`, `+ ${TRIGGER} ENABLED D`],
    ],
    [
      'a row security policy',
      'CREATE POLICY own ON public.entries USING (mood > 1)',
      ['+ policy public.entries.own PERMISSIVE FOR * TO - USING ((mood > 1))'],
    ],
    [
      'a privilege',
      'GRANT SELECT ON public.entries TO PUBLIC',
      ['+ privilege public.entries GRANT SELECT TO PUBLIC'],
    ],
    [
      'a privilege that is taken',
      'REVOKE EXECUTE ON FUNCTION public.touch() FROM PUBLIC',
      ['+ privilege public.touch() REVOKE EXECUTE FROM PUBLIC'],
    ],
    [
      'a comment',
      `COMMENT ON COLUMN public.entries.text IS 'a leaf'`,
      [
        `- comment table column public.entries.text 'a page'`,
        `+ comment table column public.entries.text 'a leaf'`,
      ],
    ],
    [
      'extended statistics',
      'CREATE STATISTICS public.moods (ndistinct) ON user_id, mood FROM public.entries',
      [
        '+ statistics public.moods CREATE STATISTICS public.moods (ndistinct) ON user_id, mood FROM public.entries',
      ],
    ],
    [
      'a text search configuration',
      'CREATE TEXT SEARCH CONFIGURATION public.diary (COPY = pg_catalog.simple)',
      ['+ text search configuration public.diary'],
    ],
  ])('%s', async (_what, sql, changes) => {
    expect(await changesOf(sql)).toEqual(changes);
  });

  it('an extension, and not with what that brings', async () => {
    await client.query('DROP EXTENSION plpgsql CASCADE');
    expect(await changesOf('CREATE EXTENSION plpgsql')).toEqual([
      expect.stringMatching(/^\+ comment extension plpgsql '/),
      expect.stringMatching(/^\+ extension plpgsql [\d.]+ SCHEMA pg_catalog$/),
    ]);
  });
});

describe('the catalog does not change with', () => {
  it.each<[what: string, sql: string]>([
    ['nothing', 'SELECT 1'],
    ['rows', `INSERT INTO public.users VALUES (gen_random_uuid(), 'ada@example.org')`],
    ["a sequence's next value", `SELECT nextval('public.ticket')`],
    ['a temporary table', 'CREATE TEMPORARY TABLE passing (id integer)'],
    ['a rename that is taken back', `${ENTRIES} RENAME mood TO feeling; ${ENTRIES} RENAME feeling TO mood`],
    [
      'a column that moves to the end',
      `${ENTRIES} DROP deleted_at; ${ENTRIES} ADD deleted_at timestamptz(3);
       CREATE INDEX entries_deleted_at_idx ON public.entries (deleted_at) WHERE deleted_at IS NOT NULL`,
    ],
    [
      'a NOT NULL that is dropped and set again',
      `${ENTRIES} ALTER mood DROP NOT NULL; ${ENTRIES} ALTER mood SET NOT NULL`,
    ],
    [
      'a privilege that is given and taken',
      'GRANT SELECT ON public.users TO PUBLIC; REVOKE SELECT ON public.users FROM PUBLIC',
    ],
    [
      'the books of the migrations',
      `CREATE TABLE public.migrations (id serial PRIMARY KEY, timestamp bigint NOT NULL);
       CREATE TABLE public.typeorm_metadata (type varchar NOT NULL);
       CREATE TABLE public.migration_history (name text PRIMARY KEY)`,
    ],
  ])('%s', async (_what, sql) => {
    expect(await changesOf(sql)).toEqual([]);
  });
});
