/**
 * SQL that gives each user in `changed` (a relation with a column `user_id`) a new revision. It is part of the
 * statement that changes entries, so both become visible together. Ordered by user id, so that concurrent statements
 * cannot deadlock.
 *
 * The revision is a time in µs, not a count: after a restore from a backup, a count would repeat the revisions of lost
 * changes, and caches would serve stale values.
 */
export function bumpRevisions(changed: string): string {
  return `
    INSERT INTO journals AS journal (user_id, revision)
    SELECT user_id, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint
      FROM (SELECT DISTINCT user_id FROM ${changed}) AS writer ORDER BY user_id
        ON CONFLICT (user_id) DO UPDATE SET revision = greatest(journal.revision + 1, excluded.revision)`;
}

/** SQL for the revision of user `$1`; 0 before the first entry. */
export const REVISION = `coalesce((SELECT revision FROM journals WHERE user_id = $1), 0)`;
