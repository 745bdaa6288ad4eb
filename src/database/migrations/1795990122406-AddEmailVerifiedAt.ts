import type { MigrationInterface, QueryRunner } from 'typeorm';

export class AddEmailVerifiedAt1795990122406 implements MigrationInterface {
  name = 'AddEmailVerifiedAt1795990122406';
  compatible = true;

  public async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`ALTER TABLE users ADD COLUMN email_verified_at timestamp(3) with time zone`);
  }

  public async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`ALTER TABLE users DROP COLUMN email_verified_at`);
  }
}
