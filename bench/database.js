import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { createDatabaseIfMissing, startEphemeralCluster } from '../scripts/embedded-postgres.js';

export const USERS = 100;
export const ENTRIES = 100_000;

/**
 * @typedef {object} Database
 * @property {string} url
 * @property {string} description version and settings that the figures depend on
 * @property {() => Promise<void>} remove
 */

/**
 * An empty database: on the server that BENCH_DATABASE_URL names, or on an embedded one that is thrown away.
 *
 * @returns {Promise<Database>}
 */
export async function createDatabase() {
  const server = process.env['BENCH_DATABASE_URL'];
  if (server) return createOn(server);
  const cluster = await startEphemeralCluster();
  try {
    const url = cluster.url('entries_bench');
    await createDatabaseIfMissing(url);
    return { url, description: await describe(url), remove: async () => void (await cluster.stop()) };
  } catch (error) {
    await cluster.stop();
    throw error;
  }
}

/** @param {string} server */
async function createOn(server) {
  const name = `entries_bench_${randomBytes(6).toString('hex')}`;
  const target = new URL(server);
  target.pathname = `/${name}`;
  await query(server, `CREATE DATABASE ${name}`);
  const remove = async () => void (await query(server, `DROP DATABASE ${name} WITH (FORCE)`));
  return { url: target.href, description: await describe(target.href), remove };
}

/** @param {string} url */
async function describe(url) {
  const { rows } = await query(
    url,
    `SELECT current_setting('server_version') AS version, current_setting('fsync') AS fsync,
            current_setting('synchronous_commit') AS commits`,
  );
  const { version, fsync, commits } = rows[0];
  return `PostgreSQL ${version.split(' ', 1)[0]} with fsync ${fsync} and synchronous_commit ${commits}`;
}

/**
 * Gives every user the same number of entries, one user's next to the others', as a table fills in time.
 *
 * @param {string} url
 * @param {string[]} userIds
 * @param {number} [entries] of all of them together
 * @param {{ vacuum?: boolean }} [options]
 */
export async function fill(url, userIds, entries = ENTRIES, { vacuum = true } = {}) {
  const isFolded = await hasSearchText(url);
  await query(
    url,
    // A UUIDv7 (RFC 9562 §5.7) is a random one with the time, ms, in its first six bytes and another version.
    `INSERT INTO entries (id, user_id, text, ${isFolded ? 'search_text, ' : ''}mood, category, tags, occurred_at, created_at, updated_at)
     SELECT encode(set_bit(set_bit(overlay(uuid_send(gen_random_uuid())
              PLACING substring(int8send((extract(epoch FROM at) * 1000)::bigint) FROM 3) FROM 1 FOR 6),
              52, 1), 53, 1), 'hex')::uuid,
            ($1::uuid[])[1 + n % cardinality($1::uuid[])],
            text, ${isFolded ? 'lower(text),' : ''} 1 + n % 10,
            (ARRAY['general', 'health', 'work', 'family'])[1 + n % 4],
            CASE n % 3 WHEN 0 THEN '{}' WHEN 1 THEN '{river}' ELSE '{river,walk}' END::text[],
            at, at, at
       FROM (SELECT n, date_trunc('milliseconds', now()) - make_interval(mins => 10 * ($2::int - n)) AS at,
                    'Entry number ' || n || '. ' || repeat('Walked by the river and wrote it down. ', 1 + n % 7) AS text
               FROM generate_series(1, $2::int) AS n) AS entry`,
    [userIds, entries],
  );
  // Not ANALYZE alone: else the first to read the rows pays for their hint bits, and autovacuum comes in between.
  if (vacuum) await query(url, 'VACUUM ANALYZE');
}

/**
 * Whether entries have a folded text: releases up to 0.1 had none, and are measured too.
 *
 * @param {string} url
 */
export async function hasSearchText(url) {
  const { rowCount } = await query(
    url,
    `SELECT 1 FROM information_schema.columns WHERE table_name = 'entries' AND column_name = 'search_text'`,
  );
  return rowCount === 1;
}

/**
 * @param {string} url
 * @param {number} count
 * @returns {Promise<{ id: string, userId: string }[]>} entries in an order that has nothing to do with their place
 */
export async function pickEntries(url, count) {
  const { rows } = await query(
    url,
    'SELECT id, user_id AS "userId" FROM entries ORDER BY md5(id::text) LIMIT $1',
    [count],
  );
  return rows;
}

/**
 * @param {string} url
 * @param {string[]} ids
 * @returns {Promise<number>} how many of them are there
 */
export async function countEntries(url, ids) {
  const { rows } = await query(
    url,
    'SELECT count(*)::int AS count FROM entries WHERE id = ANY ($1::uuid[])',
    [ids],
  );
  return rows[0].count;
}

/**
 * @param {string} url
 * @param {string} text
 * @param {unknown[]} [values]
 */
export async function query(url, text, values) {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return await client.query(text, values);
  } finally {
    await client.end();
  }
}
