import { MigrationInterface, QueryRunner } from 'typeorm';

export class AddUnconfirmedScopes1795572747076 implements MigrationInterface {
  name = 'AddUnconfirmedScopes1795572747076';

  public async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
            CREATE TABLE "unconfirmed_scopes" (
                "scope" character varying(100) NOT NULL,
                "mark" uuid NOT NULL,
                CONSTRAINT "unconfirmed_scopes_pkey" PRIMARY KEY ("scope")
            )
        `);
  }

  public async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
            DROP TABLE "unconfirmed_scopes"
        `);
  }
}
