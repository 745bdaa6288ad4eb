import type { Query } from '../history/migration-history.js';

/** Tables that record migrations, which are not part of the schema. */
const BOOKKEEPING = ['public.migrations', 'public.typeorm_metadata', 'public.migration_history'];

/** First OID of user-defined objects. */
const FIRST_USER_OID = 16_384;

const GRANTEE = `CASE grantee WHEN 0 THEN 'PUBLIC' ELSE grantee::regrole::text END`;

/** @param catalog SQL for the catalog of the object @param oid SQL for its OID */
function notOfAnExtension(catalog: string, oid: string): string {
  return `NOT EXISTS (SELECT FROM pg_depend WHERE classid = ${catalog} AND objid = ${oid} AND deptype = 'e')`;
}

const SOURCES = `
  ignored AS (SELECT unnest(:ignored) AS name),
  own AS (
    SELECT oid, nspname, nspowner, nspacl FROM pg_namespace
     WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' AND ${notOfAnExtension("'pg_namespace'::regclass", 'oid')}
       AND quote_ident(nspname) NOT IN (SELECT name FROM ignored)
  ),
  left_out AS (
    SELECT c.oid FROM pg_class c JOIN own ON own.oid = relnamespace
     WHERE c.oid::regclass::text IN (SELECT name FROM ignored)
  ),
  relation AS (
    SELECT c.*, c.oid::regclass::text AS name FROM pg_class c JOIN own ON own.oid = relnamespace
     WHERE relkind IN ('r', 'p', 'f', 'v', 'm', 'c', 'S') AND ${notOfAnExtension("'pg_class'::regclass", 'c.oid')}
       AND c.oid NOT IN (SELECT oid FROM left_out)
       AND NOT EXISTS (
         SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = c.oid AND deptype IN ('a', 'i')
            AND refclassid = 'pg_class'::regclass AND refobjid IN (SELECT oid FROM left_out))
  ),
  type AS (
    SELECT t.*, t.oid::regtype::text AS name FROM pg_type t JOIN own ON own.oid = typnamespace
     WHERE typtype IN ('d', 'e', 'r') AND ${notOfAnExtension("'pg_type'::regclass", 't.oid')}
       AND t.oid::regtype::text NOT IN (SELECT name FROM ignored)
  ),
  routine AS (
    SELECT p.*, p.oid::regprocedure::text AS name FROM pg_proc p JOIN own ON own.oid = pronamespace
     WHERE ${notOfAnExtension("'pg_proc'::regclass", 'p.oid')}
       AND quote_ident(nspname) || '.' || quote_ident(proname) NOT IN (SELECT name FROM ignored)
       -- Those of a range type come and go with it.
       AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_proc'::regclass AND objid = p.oid AND deptype = 'i')
  ),
  privileges AS (
    SELECT name AS object, relacl AS acl, acldefault(CASE relkind WHEN 'S' THEN 's' ELSE 'r' END::"char", relowner) AS usual
      FROM relation WHERE relkind <> 'c'
    UNION ALL
    SELECT relation.name || '.' || quote_ident(attname), attacl, acldefault('c', relowner)
      FROM relation JOIN pg_attribute ON attrelid = relation.oid
    UNION ALL SELECT quote_ident(nspname), nspacl, acldefault('n', nspowner) FROM own WHERE nspname <> 'public'
    UNION ALL SELECT name, proacl, acldefault('f', proowner) FROM routine
    UNION ALL SELECT name, typacl, acldefault('T', typowner) FROM type
  )`;

/** Each query returns lines: kind of the object, qualified name, definition. */
const LINES = [
  `SELECT 'schema ' || quote_ident(nspname) FROM own`,

  `SELECT concat_ws(' ', 'extension', quote_ident(extname), extversion, 'SCHEMA', extnamespace::regnamespace)
     FROM pg_extension WHERE quote_ident(extname) NOT IN (SELECT name FROM ignored)`,

  `SELECT concat_ws(' ',
            CASE relkind WHEN 'r' THEN 'table' WHEN 'p' THEN 'table' WHEN 'f' THEN 'foreign table'
                         WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' WHEN 'c' THEN 'composite type' END,
            name,
            CASE WHEN relowner <> current_user::regrole THEN 'OWNER ' || relowner::regrole END,
            CASE relpersistence WHEN 'u' THEN 'UNLOGGED' END,
            'PARTITION BY ' || pg_get_partkeydef(oid),
            (SELECT 'INHERITS ' || string_agg(inhparent::regclass::text, ', ' ORDER BY inhseqno)
               FROM pg_inherits WHERE inhrelid = relation.oid),
            pg_get_expr(relpartbound, oid),
            'WITH (' || array_to_string(reloptions, ', ') || ')',
            CASE WHEN relrowsecurity THEN 'ROW LEVEL SECURITY' END,
            CASE WHEN relforcerowsecurity THEN 'FORCED' END,
            CASE WHEN relkind IN ('r', 'p') AND relreplident <> 'd' THEN 'REPLICA IDENTITY ' || relreplident::text END,
            CASE WHEN relkind IN ('v', 'm') THEN 'AS' || pg_get_viewdef(oid) END,
            CASE WHEN NOT relispopulated THEN 'WITH NO DATA' END)
     FROM relation WHERE relkind <> 'S'`,

  // Ignores the order of columns, because `down` cannot restore it: a column that is added again is always the last.
  // Reads compression through JSON, because PostgreSQL 13 has none. Options named pg_… are internal: minor releases of
  // late 2026 number each state of a column there (pg_attver).
  `SELECT concat_ws(' ', 'column', relation.name || '.' || quote_ident(attname), format_type(atttypid, atttypmod),
            CASE WHEN attcollation <> typcollation THEN 'COLLATE ' || attcollation::regcollation END,
            CASE WHEN attnotnull THEN 'NOT NULL' END,
            CASE attidentity WHEN 'a' THEN 'GENERATED ALWAYS AS IDENTITY'
                             WHEN 'd' THEN 'GENERATED BY DEFAULT AS IDENTITY' END,
            CASE attgenerated WHEN 's' THEN 'GENERATED ALWAYS AS (' || pg_get_expr(adbin, adrelid) || ') STORED'
                              WHEN 'v' THEN 'GENERATED ALWAYS AS (' || pg_get_expr(adbin, adrelid) || ') VIRTUAL'
                              ELSE 'DEFAULT ' || pg_get_expr(adbin, adrelid) END,
            CASE WHEN attstorage <> typstorage THEN 'STORAGE ' || attstorage::text END,
            'COMPRESSION ' || nullif(to_jsonb(a) ->> 'attcompression', ''),
            'STATISTICS ' || nullif(attstattarget, -1),
            (SELECT 'WITH (' || string_agg(option, ', ' ORDER BY option) || ')'
               FROM unnest(attoptions) AS option WHERE option NOT LIKE 'pg\\_%'))
     FROM relation JOIN pg_attribute a ON attrelid = relation.oid JOIN pg_type t ON t.oid = atttypid
          LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
    WHERE relkind IN ('r', 'p', 'f', 'c') AND attnum > 0 AND NOT attisdropped`,

  // Includes NOT VALID, DEFERRABLE and NOT ENFORCED. NOT NULL is a property of the column here, because PostgreSQL 18
  // names its constraint after former names of table and column.
  `SELECT concat_ws(' ', 'constraint',
            coalesce(relation.name, type.name) || CASE contype WHEN 'n' THEN '' ELSE '.' || quote_ident(conname) END,
            pg_get_constraintdef(k.oid))
     FROM pg_constraint k LEFT JOIN relation ON relation.oid = conrelid LEFT JOIN type ON type.oid = contypid
    WHERE (relation.oid IS NOT NULL OR type.oid IS NOT NULL)
      AND (contype <> 'n' OR NOT convalidated OR connoinherit)`,

  `SELECT concat_ws(' ', 'index', indexrelid::regclass, pg_get_indexdef(indexrelid),
            CASE WHEN indisprimary THEN 'PRIMARY' END,
            CASE WHEN NOT indisvalid THEN 'INVALID' END,
            CASE WHEN indisclustered THEN 'CLUSTERED' END,
            CASE WHEN indisreplident THEN 'REPLICA IDENTITY' END)
     FROM pg_index JOIN relation ON relation.oid = indrelid`,

  `SELECT concat_ws(' ', 'sequence', name, format_type(seqtypid, NULL), 'START', seqstart, 'INCREMENT', seqincrement,
            'MINVALUE', seqmin, 'MAXVALUE', seqmax, 'CACHE', seqcache, CASE WHEN seqcycle THEN 'CYCLE' END,
            (SELECT 'OWNED BY ' || refobjid::regclass || '.' || quote_ident(attname)
               FROM pg_depend JOIN pg_attribute ON attrelid = refobjid AND attnum = refobjsubid
              WHERE classid = 'pg_class'::regclass AND objid = seqrelid AND refclassid = 'pg_class'::regclass
                AND deptype IN ('a', 'i')))
     FROM pg_sequence JOIN relation ON relation.oid = seqrelid`,

  `SELECT concat_ws(' ', 'enum', name,
            (SELECT '(' || string_agg(quote_literal(enumlabel), ', ' ORDER BY enumsortorder) || ')'
               FROM pg_enum WHERE enumtypid = type.oid))
     FROM type WHERE typtype = 'e'`,

  `SELECT concat_ws(' ', 'domain', name, format_type(typbasetype, typtypmod),
            CASE WHEN typcollation <> 0 THEN 'COLLATE ' || typcollation::regcollation END,
            CASE WHEN typnotnull THEN 'NOT NULL' END, 'DEFAULT ' || typdefault)
     FROM type WHERE typtype = 'd'`,

  `SELECT concat_ws(' ', 'range', name, format_type(rngsubtype, NULL))
     FROM type JOIN pg_range ON rngtypid = type.oid`,

  `SELECT concat_ws(' ', 'function', name, pg_get_functiondef(oid)) FROM routine WHERE prokind <> 'a'`,

  `SELECT concat_ws(' ', 'aggregate', name, 'STATE', aggtransfn, format_type(aggtranstype, NULL),
            'INITIAL ' || agginitval, 'FINAL', aggfinalfn)
     FROM routine JOIN pg_aggregate ON aggfnoid = routine.oid`,

  `SELECT concat_ws(' ', 'trigger', relation.name || '.' || quote_ident(tgname), pg_get_triggerdef(t.oid),
            CASE WHEN tgenabled <> 'O' THEN 'ENABLED ' || tgenabled::text END)
     FROM pg_trigger t JOIN relation ON relation.oid = tgrelid WHERE NOT tgisinternal`,

  `SELECT concat_ws(' ', 'rule', relation.name || '.' || quote_ident(rulename), pg_get_ruledef(r.oid),
            CASE WHEN ev_enabled <> 'O' THEN 'ENABLED ' || ev_enabled::text END)
     FROM pg_rewrite r JOIN relation ON relation.oid = ev_class WHERE rulename <> '_RETURN'`,

  `SELECT concat_ws(' ', 'policy', relation.name || '.' || quote_ident(polname),
            CASE WHEN polpermissive THEN 'PERMISSIVE' ELSE 'RESTRICTIVE' END, 'FOR', polcmd,
            'TO', array_to_string(polroles::regrole[], ', '),
            'USING (' || pg_get_expr(polqual, polrelid) || ')',
            'WITH CHECK (' || pg_get_expr(polwithcheck, polrelid) || ')')
     FROM pg_policy JOIN relation ON relation.oid = polrelid`,

  `SELECT concat_ws(' ', 'statistics', stxnamespace::regnamespace || '.' || quote_ident(stxname),
            pg_get_statisticsobjdef(s.oid))
     FROM pg_statistic_ext s JOIN own ON own.oid = stxnamespace`,

  // Only differences from the default privileges.
  `SELECT concat_ws(' ', 'privilege', object, 'GRANT', privilege_type, 'TO', ${GRANTEE},
            CASE WHEN is_grantable THEN 'WITH GRANT OPTION' END)
     FROM privileges, LATERAL (SELECT * FROM aclexplode(acl) EXCEPT SELECT * FROM aclexplode(usual)) given
    WHERE acl IS NOT NULL`,
  `SELECT concat_ws(' ', 'privilege', object, 'REVOKE', privilege_type, 'FROM', ${GRANTEE})
     FROM privileges, LATERAL (SELECT * FROM aclexplode(usual) EXCEPT SELECT * FROM aclexplode(acl)) taken
    WHERE acl IS NOT NULL`,
  `SELECT concat_ws(' ', 'default privilege', defaclrole::regrole, 'IN ' || nullif(defaclnamespace, 0)::regnamespace,
            defaclobjtype, defaclacl::text)
     FROM pg_default_acl`,

  `SELECT concat_ws(' ', 'comment', o.type, o.identity, quote_literal(description))
     FROM pg_description d, pg_identify_object(d.classoid, d.objoid, d.objsubid) o
    WHERE (d.objoid >= ${FIRST_USER_OID} OR d.objoid IN (SELECT oid FROM own))
      AND ${notOfAnExtension('d.classoid', 'd.objoid')}`,

  // Rare objects: only their names.
  ...[
    'pg_ts_config',
    'pg_ts_dict',
    'pg_collation',
    'pg_operator',
    'pg_opclass',
    'pg_cast',
    'pg_language',
    'pg_event_trigger',
    'pg_publication',
    'pg_foreign_server',
  ].map(
    (catalog) =>
      `SELECT concat_ws(' ', o.type, o.identity)
         FROM ${catalog} x, pg_identify_object('${catalog}'::regclass, x.oid, 0) o
        WHERE x.oid >= ${FIRST_USER_OID} AND ${notOfAnExtension(`'${catalog}'::regclass`, 'x.oid')}`,
  ),
];

const CATALOG = `WITH ${SOURCES} SELECT line FROM (${LINES.join('\nUNION ALL\n')}) AS lines (line)`;

function catalogWithout(ignored: readonly string[]): string {
  const names = [...BOOKKEEPING, ...ignored].map((name) => `'${name.replaceAll("'", "''")}'`);
  return CATALOG.replace(':ignored', () => `ARRAY[${names.join(', ')}]`);
}

/**
 * Describes the schema of a database in sorted lines, one per object, column or constraint; PostgreSQL 13 to 18. Equal
 * lines mean equal schemas. Excludes the tables that record migrations, and objects of extensions, whose version is listed.
 *
 * @param ignored objects to exclude with everything that belongs to them: a table, view, sequence, type or function as
 *   `schema.name`, a schema or an extension by name; quoted as in SQL
 * @param query on a connection of its own, whose `search_path` is set to empty so that names are qualified
 */
export async function readCatalog(query: Query, ignored: readonly string[] = []): Promise<string[]> {
  // JIT compilation would take longer than the query.
  await query(`SELECT set_config('search_path', '', false), set_config('jit', 'off', false)`);
  const rows = (await query(catalogWithout(ignored))) as { line: string }[];
  return rows.map(({ line }) => line.trimEnd()).sort();
}

/** A diff with `- ` and `+ ` lines. The lines of one object are adjacent. */
export function differences(before: readonly string[], after: readonly string[]): string[] {
  const [old, now] = [new Set(before), new Set(after)];
  return [
    ...before.filter((line) => !now.has(line)).map((line) => ({ sign: '-', line })),
    ...after.filter((line) => !old.has(line)).map((line) => ({ sign: '+', line })),
  ]
    .sort(
      (a, b) =>
        compare(objectOf(a.line), objectOf(b.line)) || -compare(a.sign, b.sign) || compare(a.line, b.line),
    )
    .map(({ sign, line }) => `${sign} ${line.replaceAll('\n', '\n    ')}`);
}

/** Precise enough to group the lines of an object. */
function objectOf(line: string): string {
  return line.split(' ', 2).join(' ');
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
