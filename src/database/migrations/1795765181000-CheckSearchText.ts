import { MigrationInterface, QueryRunner } from 'typeorm';

/** From here on the release before cannot write entries: stop its replicas before this one starts. */
export class CheckSearchText1795765181000 implements MigrationInterface {
  name = 'CheckSearchText1795765181000';

  public async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
            ALTER TABLE "entries"
            ADD CONSTRAINT "entries_search_text_check" CHECK ("search_text" IS NOT NULL) NOT VALID
        `);
  }

  public async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
            ALTER TABLE "entries" DROP CONSTRAINT "entries_search_text_check"
        `);
  }
}
