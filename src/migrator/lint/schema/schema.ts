import type { Constraint as ConstraintClause, IntoClause, Node, ObjectType, RangeVar } from 'libpg-query';
import { as, columnsIn, relationName, textsOf, within } from '../syntax.js';
import type { ColumnDeclaration } from './column-declaration.js';
import type { Domain, Type } from './column-type.js';

/** `since` is the migration, by its place in the order, that made the thing. */
export interface Column {
  readonly type: Type;
  readonly collation: string | undefined;
  isNotNull: boolean;
  readonly generated: 'stored' | 'virtual' | undefined;
  /** By PostgreSQL, where an INSERT leaves it out. */
  readonly isFilled: boolean;
  readonly since: number;
  namedSince: number;
  readonly notNullSince: number;
  readonly filledSince: number;
}

interface Constraint {
  readonly kind: 'check' | 'foreign key' | 'not null' | 'unique';
  isValid: boolean;
  /** Those that it reads. */
  columns: readonly string[];
  /** Those that hold no NULL where it holds. */
  notNull: readonly string[];
}

export interface Index {
  table: string;
  keys: readonly string[];
  /** All that it reads. */
  columns: readonly string[];
  /** Has an expression or a WHERE: rebuilt when a column of it changes its type. */
  readonly isComputed: boolean;
}

export interface Table {
  readonly columns: Map<string, Column>;
  readonly constraints: Map<string, Constraint>;
  readonly isPartitioned: boolean;
  readonly since: number;
  readonly namedSince: number;
}

/** The schema that the migrations so far create. Objects of others, such as an extension's tables, are not in it. */
export class Schema {
  /** Index of the current migration. */
  now = 0;
  readonly tables = new Map<string, Table>();
  readonly indexes = new Map<string, Index>();
  readonly domains = new Map<string, Domain>();
  /** STABLE or IMMUTABLE. */
  readonly steadyFunctions = new Set<string>();
  /** When a view, type, function, … was made, by kind and name. */
  private readonly others = new Map<string, number>();

  copy(): Schema {
    return Object.assign(new Schema(), structuredClone(Object.fromEntries(Object.entries(this))));
  }

  table(relation: RangeVar | undefined): Table | undefined {
    return this.tables.get(relationName(relation));
  }

  indexesOf(table: string): [string, Index][] {
    return [...this.indexes].filter(([, index]) => index.table === table);
  }

  /** Undefined where no migration made it. */
  madeOther(kind: ObjectType | undefined, name: string): number | undefined {
    return this.others.get(`${String(kind)} ${name}`);
  }

  addOther(kind: ObjectType, name: string): void {
    if (this.madeOther(kind, name) === undefined) this.others.set(`${kind} ${name}`, this.now);
  }

  dropOther(kind: ObjectType | undefined, name: string): void {
    this.others.delete(`${String(kind)} ${name}`);
  }

  addTable(name: string, isPartitioned = false): Table {
    const [columns, constraints] = [new Map<string, Column>(), new Map<string, Constraint>()];
    const table = { columns, constraints, isPartitioned, since: this.now, namedSince: this.now };
    this.tables.set(name, table);
    return table;
  }

  /** A table whose columns a query decides. */
  addUnknownTable(into: IntoClause | undefined): void {
    const name = relationName(into?.rel);
    if (into && !this.tables.has(name)) this.addTable(name);
  }

  dropTable(name: string): void {
    this.tables.delete(name);
    for (const [index] of this.indexesOf(name)) this.indexes.delete(index);
  }

  renameTable(from: string, to: string): void {
    const table = this.tables.get(from);
    if (!table) return;
    this.tables.delete(from);
    this.tables.set(to, { ...table, namedSince: this.now });
    for (const [, index] of this.indexesOf(from)) index.table = to;
  }

  /** The age of a column that is new. */
  get ages() {
    const { now } = this;
    return { since: now, namedSince: now, notNullSince: now, filledSince: now };
  }

  addColumn(table: Table, tableName: string, declared: ColumnDeclaration): void {
    const { name, type, collation, isNotNull, generated, checks, foreignKeys, unique } = declared;
    if (table.columns.has(name)) return;
    const isFilled =
      declared.isSerial || declared.isIdentity || generated !== undefined || declared.default !== undefined;
    table.columns.set(name, { type, collation, isNotNull, generated, isFilled, ...this.ages });
    if (isNotNull) {
      const constraint = { kind: 'not null' as const, isValid: true, columns: [name], notNull: [name] };
      table.constraints.set(generatedName(tableName, [name], 'not_null'), constraint);
    }
    for (const clause of checks) this.addConstraint(table, tableName, clause);
    for (const clause of [...foreignKeys, ...(unique ? [unique] : [])]) {
      this.addConstraint(table, tableName, clause, [name]);
    }
  }

  /** @param on the column, where the clause is a column's own */
  addConstraint(table: Table, tableName: string, clause: ConstraintClause, on?: readonly string[]): void {
    const keys = on ?? textsOf([...(clause.keys ?? []), ...(clause.fk_attrs ?? [])]);
    const isValid = clause.skip_validation !== true && clause.is_enforced !== false;
    const add = (kind: Constraint['kind'], suffix: string, more: Partial<Constraint> = {}) => {
      const constraint = { kind, isValid, columns: keys, notNull: [], ...more };
      const name = clause.conname ?? generatedName(tableName, constraint.columns, suffix);
      table.constraints.set(name, constraint);
      return name;
    };
    switch (clause.contype) {
      case 'CONSTR_CHECK': {
        const columns = [...new Set(columnsIn(clause.raw_expr))];
        add('check', 'check', { columns, notNull: provedNotNull(clause.raw_expr) });
        break;
      }
      case 'CONSTR_FOREIGN':
        add('foreign key', 'fkey');
        break;
      case 'CONSTR_NOTNULL':
        add('not null', 'not_null', { notNull: keys });
        if (isValid) this.setNotNull(table, keys);
        break;
      case 'CONSTR_PRIMARY':
      case 'CONSTR_UNIQUE':
      case 'CONSTR_EXCLUSION': {
        const used = beside(tableName, clause.indexname ?? '');
        const columns = this.indexes.get(used)?.keys ?? [...keys, ...elementNames(clause.exclusions)];
        const isPrimary = clause.contype === 'CONSTR_PRIMARY';
        if (isPrimary) this.setNotNull(table, columns);
        const isNamed = !isPrimary || clause.conname !== undefined;
        const name = isNamed ? add('unique', 'key', { columns }) : generatedName(tableName, [], 'pkey');
        this.indexes.delete(used);
        const index = { table: tableName, keys: columns, columns, isComputed: false };
        this.indexes.set(beside(tableName, name), index);
        break;
      }
    }
  }

  setNotNull(table: Table, names: readonly string[]): void {
    for (const name of names) {
      const column = table.columns.get(name);
      if (column?.isNotNull === false) Object.assign(column, { isNotNull: true, notNullSince: this.now });
    }
  }
}

/** The name of an object in the schema of its table, such as an index. */
export function beside(table: string, name: string): string {
  return [...table.split('.').slice(0, -1), name].join('.');
}

/** PostgreSQL's name for an unnamed object, without the number that it appends if the name is taken. */
export function generatedName(table: string, columns: readonly string[], suffix: string): string {
  const ofTable = suffix === 'check' && columns.length !== 1;
  return [table.split('.').at(-1), ...(ofTable ? [] : columns), suffix].join('_');
}

/** The columns that are not NULL if the expression is true. */
function provedNotNull(expression: Node | undefined): string[] {
  const test = as(expression, 'NullTest');
  if (test) {
    return test.nulltesttype === 'IS_NOT_NULL' && as(test.arg, 'ColumnRef') ? columnsIn(test.arg) : [];
  }
  const all = as(expression, 'BoolExpr');
  return all?.boolop === 'AND_EXPR' ? (all.args ?? []).flatMap(provedNotNull) : [];
}

function elementNames(elements: readonly Node[] | undefined): string[] {
  return within(elements, 'IndexElem').flatMap(({ name, expr }) =>
    name === undefined ? columnsIn(expr) : [name],
  );
}
