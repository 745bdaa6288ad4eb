import type { MigrationInterface, QueryRunner } from 'typeorm';

export class AddSecondFactors1795988085902 implements MigrationInterface {
  name = 'AddSecondFactors1795988085902';
  compatible = true;

  public async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`CREATE TABLE recovery_codes (
  user_id uuid NOT NULL,
  code_hash bytea NOT NULL,
  CONSTRAINT recovery_codes_pkey PRIMARY KEY (user_id, code_hash)
)`);
    await queryRunner.query(`CREATE TABLE second_factors (
  secret bytea NOT NULL,
  user_id uuid NOT NULL,
  created_at timestamp(3) with time zone DEFAULT now() NOT NULL,
  enabled_at timestamp(3) with time zone,
  last_used_step integer,
  CONSTRAINT second_factors_pkey PRIMARY KEY (user_id)
)`);
    await queryRunner.query(
      `ALTER TABLE recovery_codes ADD CONSTRAINT recovery_codes_user_id_fkey FOREIGN KEY (user_id) REFERENCES second_factors(user_id) ON DELETE CASCADE`,
    );
    await queryRunner.query(
      `ALTER TABLE second_factors ADD CONSTRAINT second_factors_user_id_fkey FOREIGN KEY (user_id) REFERENCES users(id) ON DELETE CASCADE`,
    );
  }

  public async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`ALTER TABLE recovery_codes DROP CONSTRAINT recovery_codes_user_id_fkey`);
    await queryRunner.query(`ALTER TABLE second_factors DROP CONSTRAINT second_factors_user_id_fkey`);
    await queryRunner.query(`DROP TABLE recovery_codes`);
    await queryRunner.query(`DROP TABLE second_factors`);
  }
}
