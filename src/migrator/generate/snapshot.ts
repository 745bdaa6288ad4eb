import type { Query } from '../history/migration-history.js';

/** A column, in the terms of `ALTER TABLE`. */
export interface Column {
  /** As `format_type` writes it, with the length. */
  readonly type: string;
  readonly collation: string | null;
  readonly notNull: boolean;
  readonly default: string | null;
  readonly identity: 'ALWAYS' | 'BY DEFAULT' | null;
  /** `STORED` or `VIRTUAL`; then `default` is the expression. */
  readonly generated: string | null;
  readonly comment: string | null;
  /** The sequence that the column owns and takes its default from. */
  readonly sequence: string | null;
}

/** A constraint or an index: its definition as PostgreSQL writes it, and the columns that it reads. */
export interface Definition {
  readonly kind: string;
  readonly sql: string;
  readonly columns: readonly string[];
  readonly comment: string | null;
}

interface Trigger {
  readonly sql: string;
  /** With its arguments. */
  readonly functionName: string;
  readonly functionSql: string;
}

export interface Table {
  readonly columns: Readonly<Record<string, Column>>;
  readonly constraints: Readonly<Record<string, Definition>>;
  readonly indexes: Readonly<Record<string, Definition>>;
  readonly triggers: Readonly<Record<string, Trigger>>;
  readonly comment: string | null;
}

interface View {
  readonly kind: 'VIEW' | 'MATERIALIZED VIEW';
  readonly sql: string;
  /** The columns that it reads, as `table.column`. */
  readonly reads: readonly string[];
}

/** A schema as data. Names are as in SQL: quoted if necessary, and with their schema outside `public`. */
export interface Snapshot {
  readonly schemas: readonly string[];
  readonly extensions: readonly string[];
  readonly enums: Readonly<Record<string, readonly string[]>>;
  readonly tables: Readonly<Record<string, Table>>;
  readonly views: Readonly<Record<string, View>>;
  /** Rows of `typeorm_metadata` as JSON, where TypeORM stores the text of views and generated columns. */
  readonly metadata: readonly string[];
}

const OWN = `n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'`;
const NOT_OF_AN_EXTENSION = (catalog: string, oid: string) =>
  `NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = '${catalog}'::regclass AND e.objid = ${oid} AND e.deptype = 'e')`;
/** Tables that record the migrations. They are not part of the migrated schema. */
const BOOKKEEPING = `c.relname NOT IN ('migrations', 'typeorm_metadata', 'migration_history')`;

const COLUMNS = `
  SELECT jsonb_object_agg(quote_ident(attname), jsonb_build_object(
           'type', format_type(atttypid, atttypmod),
           'collation', CASE WHEN attcollation <> typcollation THEN attcollation::regcollation::text END,
           'notNull', attnotnull,
           'default', pg_get_expr(adbin, adrelid),
           'identity', CASE attidentity WHEN 'a' THEN 'ALWAYS' WHEN 'd' THEN 'BY DEFAULT' END,
           'generated', CASE attgenerated WHEN 's' THEN 'STORED' WHEN 'v' THEN 'VIRTUAL' END,
           'comment', col_description(attrelid, attnum),
           'sequence', (SELECT d.objid::regclass::text FROM pg_depend d JOIN pg_class s ON s.oid = d.objid
                         WHERE d.classid = 'pg_class'::regclass AND d.refobjid = attrelid AND d.refobjsubid = attnum
                           AND d.deptype = 'a' AND s.relkind = 'S')
         ) ORDER BY attnum)
    FROM pg_attribute JOIN pg_type t ON t.oid = atttypid
         LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
   WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped`;

const CONSTRAINTS = `
  SELECT jsonb_object_agg(quote_ident(conname), jsonb_build_object(
           'kind', CASE contype WHEN 'p' THEN 'PRIMARY KEY' WHEN 'u' THEN 'UNIQUE' WHEN 'f' THEN 'FOREIGN KEY'
                                WHEN 'c' THEN 'CHECK' ELSE 'EXCLUDE' END,
           'sql', pg_get_constraintdef(k.oid),
           'columns', (SELECT coalesce(jsonb_agg(quote_ident(attname) ORDER BY ord), '[]')
                         FROM unnest(conkey) WITH ORDINALITY u (num, ord)
                         JOIN pg_attribute ON attrelid = conrelid AND attnum = num),
           'comment', obj_description(k.oid, 'pg_constraint')))
    FROM pg_constraint k WHERE conrelid = c.oid AND contype IN ('p', 'u', 'f', 'c', 'x')`;

const INDEXES = `
  SELECT jsonb_object_agg(quote_ident(i.relname), jsonb_build_object(
           'kind', 'INDEX',
           'sql', pg_get_indexdef(indexrelid),
           'columns', (SELECT coalesce(jsonb_agg(DISTINCT quote_ident(attname)), '[]')
                         FROM pg_depend d JOIN pg_attribute ON attrelid = d.refobjid AND attnum = d.refobjsubid
                        WHERE d.classid = 'pg_class'::regclass AND d.objid = indexrelid AND d.refobjid = c.oid),
           'comment', obj_description(indexrelid, 'pg_class')))
    FROM pg_index x JOIN pg_class i ON i.oid = indexrelid
   WHERE indrelid = c.oid AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid AND conrelid = c.oid)`;

const TRIGGERS = `
  SELECT jsonb_object_agg(quote_ident(tgname), jsonb_build_object(
           'sql', pg_get_triggerdef(g.oid),
           'functionName', tgfoid::regprocedure::text,
           'functionSql', pg_get_functiondef(tgfoid)))
    FROM pg_trigger g WHERE tgrelid = c.oid AND NOT tgisinternal`;

const SNAPSHOT = `
  SELECT jsonb_build_object(
    'schemas', (SELECT coalesce(jsonb_agg(quote_ident(nspname) ORDER BY nspname), '[]') FROM pg_namespace n
                 WHERE ${OWN} AND nspname <> 'public'),
    'extensions', (SELECT coalesce(jsonb_agg(quote_ident(extname) ORDER BY extname), '[]') FROM pg_extension
                    WHERE extname <> 'plpgsql'),
    'enums', (SELECT coalesce(jsonb_object_agg(t.oid::regtype::text,
                       (SELECT jsonb_agg(enumlabel ORDER BY enumsortorder) FROM pg_enum WHERE enumtypid = t.oid)), '{}')
                FROM pg_type t JOIN pg_namespace n ON n.oid = typnamespace
               WHERE typtype = 'e' AND ${OWN} AND ${NOT_OF_AN_EXTENSION('pg_type', 't.oid')}),
    'tables', (SELECT coalesce(jsonb_object_agg(c.oid::regclass::text, jsonb_build_object(
                        'columns', coalesce((${COLUMNS}), '{}'),
                        'constraints', coalesce((${CONSTRAINTS}), '{}'),
                        'indexes', coalesce((${INDEXES}), '{}'),
                        'triggers', coalesce((${TRIGGERS}), '{}'),
                        'comment', obj_description(c.oid, 'pg_class'))), '{}')
                 FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
                WHERE relkind IN ('r', 'p') AND ${OWN} AND ${BOOKKEEPING} AND ${NOT_OF_AN_EXTENSION('pg_class', 'c.oid')}),
    'views', (SELECT coalesce(jsonb_object_agg(c.oid::regclass::text, jsonb_build_object(
                       'kind', CASE relkind WHEN 'v' THEN 'VIEW' ELSE 'MATERIALIZED VIEW' END,
                       'sql', rtrim(pg_get_viewdef(c.oid), ';'),
                       'reads', (SELECT coalesce(jsonb_agg(DISTINCT d.refobjid::regclass::text || '.' || quote_ident(attname)), '[]')
                                   FROM pg_rewrite r JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
                                   JOIN pg_attribute ON attrelid = d.refobjid AND attnum = d.refobjsubid
                                  WHERE r.ev_class = c.oid))), '{}')
                FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
               WHERE relkind IN ('v', 'm') AND ${OWN} AND ${NOT_OF_AN_EXTENSION('pg_class', 'c.oid')}),
    -- TypeORM keeps the name of the database, which is another one here than where the migration is applied.
    'metadata', (SELECT coalesce(jsonb_agg(DISTINCT (to_jsonb(m) || jsonb_build_object('database', database IS NOT NULL))::text), '[]')
                   FROM typeorm_metadata m)
  ) AS snapshot`;

/**
 * Reads the schema of a database as data, in one query; PostgreSQL 13 to 18.
 *
 * @param query on a connection of its own, whose `search_path` becomes `public`; the database has the tables of
 *   `createHistory`
 */
export async function readSnapshot(query: Query): Promise<Snapshot> {
  await query(`SELECT set_config('search_path', 'public', false), set_config('jit', 'off', false)`);
  const [row] = (await query(SNAPSHOT)) as [{ snapshot: Snapshot }];
  return row.snapshot;
}
