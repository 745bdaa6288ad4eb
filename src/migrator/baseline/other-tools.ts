/** Tables and schemas in which other tools record their migrations. They do not belong to the migrated schema. */
export const BOOKKEEPING_OF_OTHER_TOOLS: readonly string[] = [
  'public.schema_migrations', // golang-migrate, dbmate, Rails, Ecto
  'public.ar_internal_metadata', // Rails
  'public.flyway_schema_history',
  'public.schema_version', // tern, Flyway before 5
  'public.databasechangelog', // Liquibase
  'public.databasechangeloglock',
  'public._prisma_migrations',
  'public.knex_migrations',
  'public.knex_migrations_lock',
  'public."SequelizeMeta"',
  'public.pgmigrations', // node-pg-migrate
  'public.mikro_orm_migrations',
  'public.goose_db_version',
  'public.alembic_version',
  'public.django_migrations',
  'public._sqlx_migrations',
  'public.__diesel_schema_migrations',
  'public."__EFMigrationsHistory"',
  'drizzle',
  'sqitch',
  'atlas_schema_revisions',
  'graphile_migrate',
];
