import { MigrationInterface, QueryRunner } from 'typeorm';

export class CreateUsersSessionsAndEntries1795555356578 implements MigrationInterface {
  name = 'CreateUsersSessionsAndEntries1795555356578';

  public async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
            CREATE TABLE "users" (
                "id" uuid NOT NULL,
                "email" character varying(254) NOT NULL,
                "password_hash" character varying(255) NOT NULL,
                "display_name" character varying(100),
                "timezone" character varying(64) NOT NULL DEFAULT 'UTC',
                "created_at" TIMESTAMP(3) WITH TIME ZONE NOT NULL DEFAULT now(),
                "updated_at" TIMESTAMP(3) WITH TIME ZONE NOT NULL DEFAULT now(),
                CONSTRAINT "users_email_key" UNIQUE ("email"),
                CONSTRAINT "users_pkey" PRIMARY KEY ("id")
            )
        `);
    await queryRunner.query(`
            CREATE TABLE "entries" (
                "id" uuid NOT NULL,
                "user_id" uuid NOT NULL,
                "text" text NOT NULL,
                "mood" smallint NOT NULL,
                "category" character varying(50) NOT NULL DEFAULT 'general',
                "occurred_at" TIMESTAMP(3) WITH TIME ZONE NOT NULL DEFAULT now(),
                "created_at" TIMESTAMP(3) WITH TIME ZONE NOT NULL DEFAULT now(),
                "updated_at" TIMESTAMP(3) WITH TIME ZONE NOT NULL DEFAULT now(),
                "version" integer NOT NULL DEFAULT '1',
                CONSTRAINT "entries_mood_check" CHECK (
                    mood BETWEEN 1 AND 10
                ),
                CONSTRAINT "entries_pkey" PRIMARY KEY ("id")
            )
        `);
    await queryRunner.query(`
            CREATE INDEX "entries_user_id_created_at_idx" ON "entries" ("user_id", "created_at", "id")
        `);
    await queryRunner.query(`
            CREATE INDEX "entries_user_id_occurred_at_idx" ON "entries" ("user_id", "occurred_at", "id")
        `);
    await queryRunner.query(`
            CREATE TABLE "sessions" (
                "id" uuid NOT NULL,
                "user_id" uuid NOT NULL,
                "refresh_token_hash" bytea NOT NULL,
                "previous_refresh_token_hash" bytea,
                "ip" character varying(45),
                "user_agent" character varying(512),
                "created_at" TIMESTAMP(3) WITH TIME ZONE NOT NULL DEFAULT now(),
                "last_used_at" TIMESTAMP(3) WITH TIME ZONE NOT NULL DEFAULT now(),
                "expires_at" TIMESTAMP(3) WITH TIME ZONE NOT NULL,
                "ended_at" TIMESTAMP(3) WITH TIME ZONE,
                CONSTRAINT "sessions_pkey" PRIMARY KEY ("id")
            )
        `);
    await queryRunner.query(`
            CREATE INDEX "sessions_expires_at_idx" ON "sessions" ("expires_at")
        `);
    await queryRunner.query(`
            CREATE INDEX "sessions_ended_at_idx" ON "sessions" ("ended_at")
            WHERE ended_at IS NOT NULL
        `);
    await queryRunner.query(`
            CREATE INDEX "sessions_user_id_idx" ON "sessions" ("user_id")
        `);
    await queryRunner.query(`
            ALTER TABLE "entries"
            ADD CONSTRAINT "entries_user_id_fkey" FOREIGN KEY ("user_id") REFERENCES "users"("id") ON DELETE CASCADE ON UPDATE NO ACTION
        `);
    await queryRunner.query(`
            ALTER TABLE "sessions"
            ADD CONSTRAINT "sessions_user_id_fkey" FOREIGN KEY ("user_id") REFERENCES "users"("id") ON DELETE CASCADE ON UPDATE NO ACTION
        `);
  }

  public async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
            ALTER TABLE "sessions" DROP CONSTRAINT "sessions_user_id_fkey"
        `);
    await queryRunner.query(`
            ALTER TABLE "entries" DROP CONSTRAINT "entries_user_id_fkey"
        `);
    await queryRunner.query(`
            DROP INDEX "public"."sessions_user_id_idx"
        `);
    await queryRunner.query(`
            DROP INDEX "public"."sessions_ended_at_idx"
        `);
    await queryRunner.query(`
            DROP INDEX "public"."sessions_expires_at_idx"
        `);
    await queryRunner.query(`
            DROP TABLE "sessions"
        `);
    await queryRunner.query(`
            DROP INDEX "public"."entries_user_id_occurred_at_idx"
        `);
    await queryRunner.query(`
            DROP INDEX "public"."entries_user_id_created_at_idx"
        `);
    await queryRunner.query(`
            DROP TABLE "entries"
        `);
    await queryRunner.query(`
            DROP TABLE "users"
        `);
  }
}
