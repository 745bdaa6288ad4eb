import { MigrationInterface, QueryRunner } from 'typeorm';

export class AddEntryTags1795555381378 implements MigrationInterface {
  name = 'AddEntryTags1795555381378';
  compatible = true;

  public async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
            ALTER TABLE "entries"
            ADD "tags" text array NOT NULL DEFAULT '{}'
        `);
  }

  public async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
            ALTER TABLE "entries" DROP COLUMN "tags"
        `);
  }
}
