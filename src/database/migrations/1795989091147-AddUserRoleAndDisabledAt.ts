import type { MigrationInterface, QueryRunner } from 'typeorm';

export class AddUserRoleAndDisabledAt1795989091147 implements MigrationInterface {
  name = 'AddUserRoleAndDisabledAt1795989091147';
  compatible = true;

  public async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(
      `ALTER TABLE users ADD COLUMN role character varying(16) DEFAULT 'user'::character varying NOT NULL`,
    );
    await queryRunner.query(`ALTER TABLE users ADD COLUMN disabled_at timestamp(3) with time zone`);
  }

  public async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`ALTER TABLE users DROP COLUMN role`);
    await queryRunner.query(`ALTER TABLE users DROP COLUMN disabled_at`);
  }
}
