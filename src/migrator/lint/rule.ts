import type { AlterTableCmd, AlterTableType, RangeVar } from 'libpg-query';
import type { ColumnDeclaration } from './schema/column-declaration.js';
import type { Column, Schema, Table } from './schema/schema.js';
import { relationName, type ByKind, type Statement } from './syntax.js';

/** What hurts, such as `entries.mood`; more than one; or nothing. */
export type Found = string | readonly string[] | false | undefined;

export interface Rule {
  readonly name: string;
  /** The harm that it does. */
  readonly why: string;
  /** What to write instead. */
  readonly instead: string;
  /** Documentation of it. */
  readonly source: string;
  readonly only?: 'up';
  /** For every statement. */
  readonly each?: (statement: Statement, site: Site) => Found;
  /** By kind of statement. */
  readonly on?: ByKind<[site: Site], Found>;
  /** By command of an `ALTER TABLE`. */
  readonly alter?: { readonly [Type in AlterTableType]?: (command: AlterTableCmd, site: TableSite) => Found };
  /** For each column of a `CREATE TABLE` and each that is added or given another type. */
  readonly column?: (column: ColumnDeclaration, site: TableSite) => Found;
}

export const POSTGRES_DOCS = 'https://www.postgresql.org/docs/current';

/** The context of a statement. */
export interface Setting {
  /** Before the statement. */
  readonly schema: Schema;
  readonly direction: 'up' | 'down';
  readonly inTransaction: boolean;
  /** Earlier statements of the migration in this direction. */
  readonly earlier: readonly Statement[];
  /** The statements of the same call of `queryRunner.query`. */
  readonly together: readonly Statement[];
  /** Tables that this transaction keeps others from writing to. */
  readonly locked: ReadonlySet<string>;
}

/** What a rule may ask about a statement. */
export interface Site extends Setting {
  /** Whether this migration made it, so that no release knows it yet (and, in `down`, none will any more). */
  readonly isOwn: (since: number | undefined) => boolean;
  /** Whether it may have rows and readers: true of every table but this migration's own. */
  readonly inUse: (relation: RangeVar | undefined) => boolean;
}

export function siteOf(setting: Setting): Site {
  const { schema } = setting;
  const isOwn = (since: number | undefined) => since === schema.now;
  return { ...setting, isOwn, inUse: (relation) => !isOwn(schema.table(relation)?.since) };
}

/** What a rule may ask about a command of an `ALTER TABLE`, or a column that is declared. */
export interface TableSite extends Site {
  /** The table's. */
  readonly name: string;
  readonly table: Table | undefined;
  readonly isInUse: boolean;
  /** Whether a column comes to a table that may have rows. */
  readonly isAdded: boolean;
  /** Such as `entries.mood`. */
  readonly path: (column: string) => string;
  readonly column: (name: string) => Column | undefined;
  /** Whether PostgreSQL knows without looking that no row holds NULL there. */
  readonly isProvedNotNull: (column: string) => boolean;
}

export function tableSiteOf(site: Site, relation: RangeVar | undefined, adds: boolean): TableSite {
  const table = site.schema.table(relation);
  const isInUse = site.inUse(relation);
  return {
    ...site,
    name: relationName(relation),
    table,
    isInUse,
    isAdded: adds && isInUse,
    path: (column) => `${relationName(relation)}.${column}`,
    column: (name) => table?.columns.get(name),
    isProvedNotNull: (column) =>
      table?.columns.get(column)?.isNotNull === true ||
      [...(table?.constraints.values() ?? [])].some(
        ({ isValid, notNull }) => isValid && notNull.includes(column),
      ),
  };
}
