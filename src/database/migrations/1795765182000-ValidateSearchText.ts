import { MigrationInterface, QueryRunner } from 'typeorm';
import { fillSearchText } from './1795765180000-FillSearchText.js';

// lint-ok: not-repeatable: the statement of down drops the constraint first, where it is there
export class ValidateSearchText1795765182000 implements MigrationInterface {
  name = 'ValidateSearchText1795765182000';
  transaction = false;

  public async up(queryRunner: QueryRunner): Promise<void> {
    // What the release before wrote between the first fill and the check.
    await fillSearchText(queryRunner);
    await queryRunner.query(`
            ALTER TABLE "entries" VALIDATE CONSTRAINT "entries_search_text_check"
        `);
    // Of the search that is replaced, with the functions that the next migration drops.
    await queryRunner.query(`
            DROP INDEX CONCURRENTLY "public"."entries_search_idx"
        `);
  }

  public async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
            CREATE INDEX CONCURRENTLY "entries_search_idx" ON "entries"
            USING gin (to_tsvector('entries_search', "text"), "tags", entries_scope("user_id", "occurred_at"))
            WITH (gin_pending_list_limit = 128)
        `);
    await queryRunner.query(`COMMENT ON INDEX "entries_search_idx" IS 'english'`);
    await queryRunner.query(`
            ALTER TABLE "entries" DROP CONSTRAINT IF EXISTS "entries_search_text_check",
            ADD CONSTRAINT "entries_search_text_check" CHECK ("search_text" IS NOT NULL) NOT VALID
        `);
  }
}
