import { allOf, as, columnsIn, relationName, within } from './syntax.js';

/** @typedef {import('libpg-query').Node} Node */
/** @typedef {import('libpg-query').RangeVar} RangeVar */
/** @typedef {import('libpg-query').ObjectType} ObjectType */
/** @typedef {import('./column-types.js').Type} Type */
/** @typedef {import('./columns.js').ColumnDeclaration} ColumnDeclaration */

/**
 * What `since` counts: the migration, by its place in the order, that made the thing.
 *
 * @typedef {object} Column
 * @property {Type} type
 * @property {string | undefined} collation
 * @property {boolean} isNotNull
 * @property {'stored' | 'virtual' | undefined} generated
 * @property {boolean} isFilled by PostgreSQL, where an INSERT leaves it out
 * @property {number} since
 * @property {number} namedSince
 * @property {number} notNullSince
 * @property {number} filledSince
 */
/**
 * @typedef {object} Constraint
 * @property {'check' | 'foreign key' | 'not null' | 'unique'} kind
 * @property {boolean} isValid
 * @property {readonly string[]} columns that it reads
 * @property {readonly string[]} notNull columns that hold no NULL where it holds
 * @property {number} since
 */
/**
 * @typedef {object} Index
 * @property {string} table
 * @property {readonly string[]} keys
 * @property {readonly string[]} columns all that it reads
 * @property {boolean} isComputed has an expression or a WHERE: built anew when a column of it changes its type
 * @property {number} since
 */
/**
 * @typedef {object} Table
 * @property {Map<string, Column>} columns
 * @property {Map<string, Constraint>} constraints
 * @property {boolean} isPartitioned
 * @property {number} since
 * @property {number} namedSince
 */

/** What the migrations have made so far. What they did not make (an extension's tables, say) is not in it. */
export class Schema {
  /** @type {Map<string, Table>} */
  tables = new Map();
  /** @type {Map<string, Index>} */
  indexes = new Map();
  /** @type {Map<string, import('./column-types.js').Domain>} */
  domains = new Map();
  /** @type {Set<string>} functions that are STABLE or IMMUTABLE */
  steadyFunctions = new Set();
  /** @type {Map<string, number>} when a view, type, function, … was made, by kind and name */
  others = new Map();

  /** @returns {Schema} */
  copy() {
    return Object.assign(new Schema(), structuredClone({ ...this }));
  }

  /** @param {RangeVar | undefined} relation */
  table(relation) {
    return this.tables.get(relationName(relation));
  }

  /**
   * The name of an index or the like that is in the schema of its table, as it always is.
   *
   * @param {string} table
   * @param {string} name
   */
  beside(table, name) {
    return [...table.split('.').slice(0, -1), name].join('.');
  }

  /** @param {string} table */
  indexesOf(table) {
    return [...this.indexes].filter(([, index]) => index.table === table);
  }

  /**
   * @param {ObjectType | undefined} kind
   * @param {string} name
   */
  other(kind, name) {
    return this.others.get(`${kind} ${name}`);
  }

  /**
   * @param {Table} table
   * @param {string} tableName
   * @param {ColumnDeclaration} declared
   * @param {number} now
   */
  addColumn(table, tableName, declared, now) {
    const { name, type, collation, isNotNull, generated, checks, foreignKeys, unique } = declared;
    if (table.columns.has(name)) return;
    const ages = { since: now, namedSince: now, notNullSince: now, filledSince: now };
    const { isSerial, isIdentity, default: value } = declared;
    const isFilled = isSerial || isIdentity || generated !== undefined || value !== undefined;
    table.columns.set(name, { type, collation, isNotNull, generated, isFilled, ...ages });
    if (isNotNull) {
      const constraint = { isValid: true, columns: [name], notNull: [name], since: now };
      table.constraints.set(generatedName(tableName, [name], 'not_null'), {
        kind: 'not null',
        ...constraint,
      });
    }
    for (const clause of checks) this.addConstraint(table, tableName, clause, now);
    for (const clause of [...foreignKeys, ...(unique ? [unique] : [])]) {
      this.addConstraint(table, tableName, clause, now, [name]);
    }
  }

  /**
   * @param {Table} table
   * @param {string} tableName
   * @param {import('libpg-query').Constraint} clause
   * @param {number} now
   * @param {readonly string[]} [on] the column, where the clause is a column's own
   */
  addConstraint(table, tableName, clause, now, on) {
    const keys = on ?? allOf([...(clause.keys ?? []), ...(clause.fk_attrs ?? [])], 'String').map(text);
    const isValid = clause.skip_validation !== true && clause.is_enforced !== false;
    /**
     * @param {Constraint['kind']} kind
     * @param {string} suffix of the name that PostgreSQL gives
     * @param {Partial<Constraint>} [more]
     */
    const add = (kind, suffix, more = {}) => {
      const constraint = { kind, isValid, columns: keys, notNull: [], since: now, ...more };
      const name = clause.conname ?? generatedName(tableName, constraint.columns, suffix);
      table.constraints.set(name, constraint);
      return name;
    };
    switch (clause.contype) {
      case 'CONSTR_CHECK': {
        const columns = [...new Set(columnsIn(clause.raw_expr))];
        add('check', 'check', { columns, notNull: notNullBy(clause.raw_expr) });
        break;
      }
      case 'CONSTR_FOREIGN':
        add('foreign key', 'fkey');
        break;
      case 'CONSTR_NOTNULL':
        add('not null', 'not_null', { notNull: keys });
        if (isValid) this.setNotNull(table, keys, now);
        break;
      case 'CONSTR_PRIMARY':
      case 'CONSTR_UNIQUE':
      case 'CONSTR_EXCLUSION': {
        const used = this.beside(tableName, clause.indexname ?? '');
        const index = this.indexes.get(used);
        const columns = index?.keys ?? [...keys, ...elementNames(clause.exclusions)];
        const isPrimary = clause.contype === 'CONSTR_PRIMARY';
        if (isPrimary) this.setNotNull(table, columns, now);
        const isNamed = !isPrimary || clause.conname !== undefined;
        const name = isNamed ? add('unique', 'key', { columns }) : `${tableName.split('.').at(-1)}_pkey`;
        if (index) this.indexes.delete(used);
        this.indexes.set(this.beside(tableName, name), {
          table: tableName,
          keys: columns,
          columns,
          isComputed: false,
          since: now,
        });
        break;
      }
    }
  }

  /**
   * @param {Table} table
   * @param {readonly string[]} names
   * @param {number} now
   */
  setNotNull(table, names, now) {
    for (const name of names) {
      const column = table.columns.get(name);
      if (column && !column.isNotNull) Object.assign(column, { isNotNull: true, notNullSince: now });
    }
  }

  /**
   * A table whose columns a query decides.
   *
   * @param {import('libpg-query').IntoClause | undefined} into
   * @param {number} now
   */
  addUnknownTable(into, now) {
    const name = relationName(into?.rel);
    if (into && !this.tables.has(name)) this.tables.set(name, newTable(now, false));
  }

  /** @param {string} name */
  dropTable(name) {
    this.tables.delete(name);
    for (const [index] of this.indexesOf(name)) this.indexes.delete(index);
  }

  /**
   * @param {string} from
   * @param {string} to
   * @param {number} now
   */
  renameTable(from, to, now) {
    const table = this.tables.get(from);
    if (!table) return;
    this.tables.delete(from);
    this.tables.set(to, { ...table, namedSince: now });
    for (const [, index] of this.indexesOf(from)) index.table = to;
  }

  /**
   * @param {ObjectType} kind
   * @param {string} name
   * @param {number} now
   */
  addOther(kind, name, now) {
    const key = `${kind} ${name}`;
    if (!this.others.has(key)) this.others.set(key, now);
  }
}

/**
 * @param {number} since
 * @param {boolean} isPartitioned
 * @returns {Table}
 */
export function newTable(since, isPartitioned) {
  return { columns: new Map(), constraints: new Map(), isPartitioned, since, namedSince: since };
}

/**
 * The columns that an expression proves to hold no NULL where it holds.
 *
 * @param {Node | undefined} expression
 * @returns {string[]}
 */
function notNullBy(expression) {
  const test = as(expression, 'NullTest');
  if (test) {
    return test.nulltesttype === 'IS_NOT_NULL' && as(test.arg, 'ColumnRef') ? columnsIn(test.arg) : [];
  }
  const all = as(expression, 'BoolExpr');
  return all?.boolop === 'AND_EXPR' ? (all.args ?? []).flatMap(notNullBy) : [];
}

/** @param {readonly Node[] | undefined} elements */
function elementNames(elements) {
  return within(elements, 'IndexElem').flatMap(({ name, expr }) =>
    name === undefined ? columnsIn(expr) : [name],
  );
}

/**
 * As PostgreSQL names what is given no name, but for the number where that name is taken.
 *
 * @param {string} table
 * @param {readonly string[]} columns
 * @param {string} suffix
 */
export function generatedName(table, columns, suffix) {
  const ofCheck = suffix === 'check' && columns.length !== 1;
  return [table.split('.').at(-1), ...(ofCheck ? [] : columns), suffix].join('_');
}

/** @param {import('libpg-query').String} node */
function text({ sval }) {
  return sval ?? '';
}
