import { MigrationInterface, QueryRunner } from 'typeorm';

export class IndexEntryTrash1795558661909 implements MigrationInterface {
  name = 'IndexEntryTrash1795558661909';
  transaction = false;
  compatible = true;

  public async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
            CREATE INDEX CONCURRENTLY "entries_trash_idx" ON "entries" ("user_id", "occurred_at", "id")
            WHERE deleted_at IS NOT NULL
        `);
  }

  public async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
            DROP INDEX CONCURRENTLY "public"."entries_trash_idx"
        `);
  }
}
