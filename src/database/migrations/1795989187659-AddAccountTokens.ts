import type { MigrationInterface, QueryRunner } from 'typeorm';

export class AddAccountTokens1795989187659 implements MigrationInterface {
  name = 'AddAccountTokens1795989187659';
  compatible = true;

  public async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`CREATE TABLE account_tokens (
  email character varying(254) NOT NULL,
  mail_id uuid NOT NULL,
  purpose character varying(20) NOT NULL,
  used_at timestamp(3) with time zone,
  user_id uuid NOT NULL,
  expires_at timestamp(3) with time zone,
  token_hash bytea,
  requested_at timestamp(3) with time zone DEFAULT now() NOT NULL,
  CONSTRAINT account_tokens_pkey PRIMARY KEY (user_id, purpose)
)`);
    await queryRunner.query(
      `CREATE UNIQUE INDEX account_tokens_token_hash_idx ON public.account_tokens USING btree (token_hash)`,
    );
    await queryRunner.query(
      `CREATE INDEX account_tokens_requested_at_idx ON public.account_tokens USING btree (requested_at)`,
    );
    await queryRunner.query(
      `ALTER TABLE account_tokens ADD CONSTRAINT account_tokens_user_id_fkey FOREIGN KEY (user_id) REFERENCES users(id) ON DELETE CASCADE`,
    );
  }

  public async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`ALTER TABLE account_tokens DROP CONSTRAINT account_tokens_user_id_fkey`);
    await queryRunner.query(`DROP TABLE account_tokens`);
  }
}
