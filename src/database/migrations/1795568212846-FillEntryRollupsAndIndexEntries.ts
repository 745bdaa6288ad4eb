import { MigrationInterface, QueryRunner } from 'typeorm';

/** Users whose entries are counted by one statement. */
const BATCH = 20;

export class FillEntryRollupsAndIndexEntries1795568212846 implements MigrationInterface {
  name = 'FillEntryRollupsAndIndexEntries1795568212846';
  transaction = false;
  compatible = true;

  public async up(queryRunner: QueryRunner): Promise<void> {
    // Since the migration before, triggers count what is written; what was there is counted here, user by user.
    let after = '00000000-0000-0000-0000-000000000000';
    for (;;) {
      const users = (await queryRunner.query(
        `SELECT id, entries_rebuild_rollups(id)
           FROM (SELECT id FROM "users" WHERE id > $1 ORDER BY id LIMIT ${BATCH}) AS batch`,
        [after],
      )) as { id: string }[];
      const last = users.at(-1);
      if (last === undefined) break;
      after = last.id;
    }
    await queryRunner.query(`
            CREATE INDEX CONCURRENTLY "entries_category_idx" ON "entries" ("user_id", "category", "occurred_at", "id")
            WHERE deleted_at IS NULL
        `);
    // By hand, as TypeORM knows no index of expressions. A short pending list: every search reads all of it.
    await queryRunner.query(`
            CREATE INDEX CONCURRENTLY "entries_search_idx" ON "entries"
            USING gin (to_tsvector('entries_search', "text"), "tags", entries_scope("user_id", "occurred_at"))
            WITH (gin_pending_list_limit = 128)
        `);
    await queryRunner.query(`COMMENT ON INDEX "entries_search_idx" IS 'english'`);
  }

  public async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
            DROP INDEX CONCURRENTLY "public"."entries_search_idx"
        `);
    await queryRunner.query(`
            DROP INDEX CONCURRENTLY "public"."entries_category_idx"
        `);
  }
}
