import { MigrationInterface, QueryRunner } from 'typeorm';

export class AddErasedSessions1795567062670 implements MigrationInterface {
  name = 'AddErasedSessions1795567062670';

  public async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
            CREATE TABLE "erased_sessions" (
                "id" uuid NOT NULL,
                "erased_at" TIMESTAMP(3) WITH TIME ZONE NOT NULL,
                CONSTRAINT "erased_sessions_pkey" PRIMARY KEY ("id")
            )
        `);
    await queryRunner.query(`
            CREATE INDEX "erased_sessions_erased_at_idx" ON "erased_sessions" ("erased_at")
        `);
  }

  public async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
            DROP INDEX "public"."erased_sessions_erased_at_idx"
        `);
    await queryRunner.query(`
            DROP TABLE "erased_sessions"
        `);
  }
}
