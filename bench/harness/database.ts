import { randomBytes } from 'node:crypto';
import { createDatabaseIfMissing, startEphemeralCluster } from '../../scripts/postgres/embedded-postgres.js';
import { query } from '../../test/harness/database/database.js';

export interface Database {
  readonly url: string;
  remove(): Promise<void>;
}

const ROWS_PER_INSERT = 50_000;

/** An empty database: on the server that BENCH_DATABASE_URL names, or on an embedded one that is thrown away. */
export async function createDatabase(): Promise<Database> {
  const server = process.env['BENCH_DATABASE_URL'];
  const name = `entries_bench_${randomBytes(6).toString('hex')}`;
  if (server) {
    const url = new URL(server);
    url.pathname = `/${name}`;
    await createDatabaseIfMissing(url.href);
    return {
      url: url.href,
      remove: async () => {
        await query(server, `DROP DATABASE ${name} WITH (FORCE)`);
      },
    };
  }
  const cluster = await startEphemeralCluster();
  const url = cluster.url(name);
  await createDatabaseIfMissing(url);
  return {
    url,
    remove: async () => {
      await cluster.stop();
    },
  };
}

/**
 * Gives every user the same number of entries, one every five minutes up to now. Neighbouring rows belong to different
 * users, as in a table that many users fill over time. Half of a user's texts hold "river", 20 of all hold "zanzibar".
 *
 * @param count of all users' entries together
 */
export async function fill(url: string, userIds: readonly string[], count: number): Promise<void> {
  for (let first = 1; first <= count; first += ROWS_PER_INSERT) {
    await query(
      url,
      // A UUIDv7 (RFC 9562 §5.7) is a random one with the time, ms, in its first six bytes and another version.
      `INSERT INTO entries
              (id, user_id, text, search_text, mood, category, tags, occurred_at, created_at, updated_at)
       SELECT encode(set_bit(set_bit(overlay(uuid_send(gen_random_uuid())
                PLACING substring(int8send((extract(epoch FROM at) * 1000)::bigint) FROM 3) FROM 1 FOR 6),
                52, 1), 53, 1), 'hex')::uuid,
              ($1::uuid[])[1 + n % users], text, lower(text),
              1 + nth % 10,
              (ARRAY['general', 'health', 'work', 'family'])[1 + nth % 4],
              CASE nth % 3 WHEN 0 THEN '{}' WHEN 1 THEN '{river}' ELSE ARRAY['river', 'tag' || nth % 40] END::text[],
              at, at, at
         FROM generate_series($3::int, least($2::int, $3::int + ${ROWS_PER_INSERT} - 1)) AS n,
              cardinality($1::uuid[]) AS users,
              LATERAL (SELECT n / users AS nth) AS of_user,
              LATERAL (SELECT
                date_trunc('milliseconds', now()) - make_interval(mins => 5 * ($2::int / users - nth)) AS at,
                'Entry number ' || n
                  || CASE nth % 2 WHEN 0 THEN ' walked by the river' ELSE ' stayed at home and read' END
                  || CASE WHEN n % greatest($2::int / 20, 1) = 7 THEN ' zanzibar' ELSE '' END
                  || repeat(' and wrote down what came to mind of w' || n % 5000, 1 + nth % 7) AS text) AS entry`,
      [userIds, count, first],
    );
  }
  // Not ANALYZE alone: the first reader would pay for the rows' hint bits, and autovacuum would come in between.
  await query(url, 'VACUUM ANALYZE');
}
