import { MigrationInterface, QueryRunner } from 'typeorm';

export class AddJournalsAndSearchText1795765179611 implements MigrationInterface {
  name = 'AddJournalsAndSearchText1795765179611';
  compatible = true;

  public async up(queryRunner: QueryRunner): Promise<void> {
    // Trusted extensions of PostgreSQL's own distribution: the owner of the database may create them.
    await queryRunner.query(`CREATE EXTENSION IF NOT EXISTS pg_trgm`);
    await queryRunner.query(`CREATE EXTENSION IF NOT EXISTS btree_gin`);
    await queryRunner.query(`
            CREATE TABLE "journals" (
                "user_id" uuid NOT NULL,
                "revision" bigint NOT NULL,
                CONSTRAINT "journals_pkey" PRIMARY KEY ("user_id")
            )
        `);
    await queryRunner.query(`
            ALTER TABLE "journals"
            ADD CONSTRAINT "journals_user_id_fkey" FOREIGN KEY ("user_id") REFERENCES "users"("id") ON DELETE CASCADE ON UPDATE NO ACTION
        `);
    await queryRunner.query(`
            ALTER TABLE "entries"
            ADD "search_text" text
        `);
  }

  public async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
            ALTER TABLE "entries" DROP COLUMN "search_text"
        `);
    await queryRunner.query(`
            ALTER TABLE "journals" DROP CONSTRAINT "journals_user_id_fkey"
        `);
    await queryRunner.query(`
            DROP TABLE "journals"
        `);
    await queryRunner.query(`DROP EXTENSION btree_gin`);
    await queryRunner.query(`DROP EXTENSION pg_trgm`);
  }
}
