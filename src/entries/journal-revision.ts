/**
 * SQL that gives each user in `changed` (a relation with a column `user_id`) a new revision, to be part of the statement
 * that makes the change: then nobody can see the one without the other. Users in the order of their ids, so that two
 * statements never wait for each other.
 *
 * The revision is the time in µs, and not a count: after a restore from a backup a count would give the revisions of the
 * lost changes to other ones, and caches would take them for the same.
 */
export function bumpRevisions(changed: string): string {
  return `
    INSERT INTO journals AS journal (user_id, revision)
    SELECT user_id, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint
      FROM (SELECT DISTINCT user_id FROM ${changed}) AS writer ORDER BY user_id
        ON CONFLICT (user_id) DO UPDATE SET revision = greatest(journal.revision + 1, excluded.revision)`;
}

/** The revision of the user `$1`, as SQL; '0' before the first entry. */
export const REVISION = `coalesce((SELECT revision FROM journals WHERE user_id = $1), 0)`;
