import { relationName } from './syntax.js';

/** @typedef {import('libpg-query').RangeVar} RangeVar */
/** @typedef {import('libpg-query').AlterTableCmd} AlterTableCmd */
/** @typedef {import('libpg-query').AlterTableType} AlterTableType */
/** @typedef {import('./syntax.js').Nodes} Nodes */
/** @typedef {import('./syntax.js').Statement} Statement */
/** @typedef {import('./schema.js').Schema} Schema */
/** @typedef {import('./columns.js').ColumnDeclaration} ColumnDeclaration */

/** @typedef {string | readonly string[] | undefined} Found what hurts, such as `entries.mood`; more than one; or nothing */

/**
 * @typedef {object} Rule
 * @property {string} name
 * @property {string} why it hurts
 * @property {string} instead what to write instead
 * @property {string} source where PostgreSQL says so
 * @property {readonly string[]} alike the same in squawk and in strong_migrations
 * @property {'up'} [only]
 * @property {{ readonly [Kind in keyof Nodes]?: (body: Nodes[Kind], site: Site) => Found }} [on] by kind of statement
 * @property {{ readonly [Type in AlterTableType]?: (command: AlterTableCmd, site: AlterSite) => Found }} [alter] by
 *   command of an `ALTER TABLE`
 * @property {(column: ColumnDeclaration, site: ColumnSite) => Found} [column] for each column of a `CREATE TABLE` and
 *   each that is added or given another type
 * @property {(statement: Statement, site: Site) => Found} [each] for every statement
 */

/**
 * Where a statement stands.
 *
 * @typedef {object} Setting
 * @property {Schema} schema as it is before the statement
 * @property {number} migration its place in the order
 * @property {'up' | 'down'} direction
 * @property {boolean} inTransaction
 * @property {Statement} statement
 * @property {readonly Statement[]} earlier in this direction of this migration
 * @property {readonly Statement[]} together of the same call of `queryRunner.query`
 * @property {ReadonlySet<string>} locked tables that this transaction keeps others from writing to
 */

/** What a rule may ask about the place of a statement. */
export class Site {
  /** @param {Setting} setting */
  constructor(setting) {
    this.schema = setting.schema;
    this.migration = setting.migration;
    this.direction = setting.direction;
    this.inTransaction = setting.inTransaction;
    this.statement = setting.statement;
    this.earlier = setting.earlier;
    this.together = setting.together;
    this.locked = setting.locked;
  }

  /**
   * Whether this migration made it, so that no release knows it yet (and, in `down`, none will any more).
   *
   * @param {number | undefined} since
   */
  isOwn(since) {
    return since === this.migration;
  }

  /**
   * Whether rows and readers must be reckoned with: true of every table but this migration's own.
   *
   * @param {RangeVar | undefined} relation
   */
  inUse(relation) {
    return !this.isOwn(this.schema.table(relation)?.since);
  }
}

/** A command of an `ALTER TABLE`. */
export class AlterSite extends Site {
  /**
   * @param {Setting} setting
   * @param {RangeVar | undefined} relation
   */
  constructor(setting, relation) {
    super(setting);
    this.relation = relation;
    this.name = relationName(relation);
    this.table = setting.schema.table(relation);
    this.isInUse = this.inUse(relation);
  }

  /** @param {string | undefined} name */
  column(name) {
    return this.table?.columns.get(name ?? '');
  }

  /**
   * Whether PostgreSQL knows without looking that no row holds NULL there.
   *
   * @param {string} column
   */
  isProvedNotNull(column) {
    if (this.column(column)?.isNotNull) return true;
    const constraints = [...(this.table?.constraints.values() ?? [])];
    return constraints.some(({ isValid, notNull }) => isValid && notNull.includes(column));
  }
}

/** A column that is declared. */
export class ColumnSite extends AlterSite {
  /**
   * @param {Setting} setting
   * @param {RangeVar | undefined} relation
   * @param {'create' | 'add' | 'change'} how
   */
  constructor(setting, relation, how) {
    super(setting, relation);
    this.how = how;
  }

  /** Whether the column comes to a table that has rows already. */
  get isAdded() {
    return this.how === 'add' && this.isInUse;
  }
}
