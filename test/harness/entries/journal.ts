import type { TestDatabase } from '../database/database.js';

/** Gives a user a new revision: after rows that a test has changed past the service, which caches by revision. */
export async function bumpRevision(database: TestDatabase, userId: string): Promise<void> {
  await database.query(
    `INSERT INTO journals AS journal (user_id, revision)
     VALUES ($1, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint)
     ON CONFLICT (user_id) DO UPDATE SET revision = greatest(journal.revision + 1, excluded.revision)`,
    [userId],
  );
}
