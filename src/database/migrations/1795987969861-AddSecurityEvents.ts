import type { MigrationInterface, QueryRunner } from 'typeorm';

export class AddSecurityEvents1795987969861 implements MigrationInterface {
  name = 'AddSecurityEvents1795987969861';
  compatible = true;

  public async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`CREATE TABLE security_events (
  id uuid NOT NULL,
  type character varying(40) NOT NULL,
  details jsonb DEFAULT '{}'::jsonb NOT NULL,
  network character varying(45),
  user_id uuid NOT NULL,
  actor_id uuid,
  created_at timestamp(3) with time zone DEFAULT now() NOT NULL,
  user_agent character varying(512),
  CONSTRAINT security_events_pkey PRIMARY KEY (id)
)`);
    await queryRunner.query(
      `CREATE INDEX security_events_actor_id_idx ON public.security_events USING btree (actor_id) WHERE (actor_id IS NOT NULL)`,
    );
    await queryRunner.query(
      `CREATE INDEX security_events_created_at_idx ON public.security_events USING btree (created_at)`,
    );
    await queryRunner.query(
      `CREATE INDEX security_events_user_id_created_at_id_idx ON public.security_events USING btree (user_id, created_at, id)`,
    );
    await queryRunner.query(
      `ALTER TABLE security_events ADD CONSTRAINT security_events_user_id_fkey FOREIGN KEY (user_id) REFERENCES users(id) ON DELETE CASCADE`,
    );
    await queryRunner.query(
      `ALTER TABLE security_events ADD CONSTRAINT security_events_actor_id_fkey FOREIGN KEY (actor_id) REFERENCES users(id) ON DELETE SET NULL`,
    );
  }

  public async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`ALTER TABLE security_events DROP CONSTRAINT security_events_user_id_fkey`);
    await queryRunner.query(`ALTER TABLE security_events DROP CONSTRAINT security_events_actor_id_fkey`);
    await queryRunner.query(`DROP TABLE security_events`);
  }
}
