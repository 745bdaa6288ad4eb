import { MigrationInterface, QueryRunner } from 'typeorm';

export class AddEntryTrash1795555412078 implements MigrationInterface {
  name = 'AddEntryTrash1795555412078';

  public async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
            ALTER TABLE "entries"
            ADD "deleted_at" TIMESTAMP(3) WITH TIME ZONE
        `);
  }

  public async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
            ALTER TABLE "entries" DROP COLUMN "deleted_at"
        `);
  }
}
