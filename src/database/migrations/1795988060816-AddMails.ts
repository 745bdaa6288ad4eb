import type { MigrationInterface, QueryRunner } from 'typeorm';

export class AddMails1795988060816 implements MigrationInterface {
  name = 'AddMails1795988060816';
  compatible = true;

  public async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`CREATE TABLE mails (
  id uuid NOT NULL,
  data jsonb DEFAULT '{}'::jsonb NOT NULL,
  user_id uuid,
  attempts integer DEFAULT 0 NOT NULL,
  template character varying(40) NOT NULL,
  recipient character varying(254) NOT NULL,
  created_at timestamp(3) with time zone DEFAULT now() NOT NULL,
  next_attempt_at timestamp(3) with time zone DEFAULT now() NOT NULL,
  CONSTRAINT mails_pkey PRIMARY KEY (id)
)`);
    await queryRunner.query(
      `CREATE INDEX mails_next_attempt_at_idx ON public.mails USING btree (next_attempt_at)`,
    );
  }

  public async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`DROP TABLE mails`);
  }
}
