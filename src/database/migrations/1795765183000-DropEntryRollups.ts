import { MigrationInterface, QueryRunner } from 'typeorm';
import { AddUnconfirmedScopes1795572747076 } from './1795572747076-AddUnconfirmedScopes.js';
import { KeepEntryRollupsAndIdempotencyKeys1795568134211 } from './1795568134211-KeepEntryRollupsAndIdempotencyKeys.js';

// lint-ok: drop-table: the release before cannot write entries since CheckSearchText, and does not run any more
// lint-ok: drop-object: the release before cannot write entries since CheckSearchText, and does not run any more
// lint-ok: constraint-not-valid: only down adds it, and nobody writes while this release is taken back
export class DropEntryRollups1795765183000 implements MigrationInterface {
  name = 'DropEntryRollups1795765183000';

  public async up(queryRunner: QueryRunner): Promise<void> {
    // The check proves it, so that no row is read.
    await queryRunner.query(`
            ALTER TABLE "entries" ALTER COLUMN "search_text" SET NOT NULL
        `);
    await queryRunner.query(`
            ALTER TABLE "entries" DROP CONSTRAINT "entries_search_text_check"
        `);
    for (const operation of ['insert', 'update', 'delete']) {
      await queryRunner.query(`DROP TRIGGER entries_${operation}_rollups ON "entries"`);
    }
    await queryRunner.query(`DROP FUNCTION entries_keep_rollups()`);
    await queryRunner.query(`DROP FUNCTION entries_rebuild_rollups(uuid)`);
    await queryRunner.query(`DROP FUNCTION entries_add_counts(integer[], integer[])`);
    await queryRunner.query(`DROP FUNCTION entries_scope(uuid, timestamp with time zone)`);
    await queryRunner.query(`DROP TEXT SEARCH CONFIGURATION entries_search`);
    await queryRunner.query(`DROP TABLE "entry_labels"`);
    await queryRunner.query(`DROP TABLE "entry_days"`);
    await queryRunner.query(`DROP TABLE "unconfirmed_scopes"`);
  }

  public async down(queryRunner: QueryRunner): Promise<void> {
    // What the migrations made that are undone here, by their own statements.
    await new AddUnconfirmedScopes1795572747076().up(queryRunner);
    await new KeepEntryRollupsAndIdempotencyKeys1795568134211().up({
      query: async (sql: string) => {
        if (!sql.includes('idempotency_keys')) await queryRunner.query(sql);
      },
    } as unknown as QueryRunner);
    await queryRunner.query(`SELECT entries_rebuild_rollups(id) FROM "users" ORDER BY id`);
    await queryRunner.query(`
            ALTER TABLE "entries"
            ADD CONSTRAINT "entries_search_text_check" CHECK ("search_text" IS NOT NULL)
        `);
    await queryRunner.query(`
            ALTER TABLE "entries" ALTER COLUMN "search_text" DROP NOT NULL
        `);
  }
}
