import { declarationOf } from './columns.js';
import { lockedBy, lockedByStatement } from './locked-tables.js';
import { AlterSite, ColumnSite, Site } from './rule.js';
import { DOES_NOT_PARSE, MISSING_DOWN, UNSEEN } from './rules/whole-migration.js';
import { applyAlteration } from './schema-alterations.js';
import { applyStatement } from './schema-statements.js';
import { Schema } from './schema.js';
import { SourceLines } from './source-lines.js';
import { allOf, as, parseStatements } from './syntax.js';
import { waiversIn } from './waivers.js';

/** @typedef {import('./rule.js').Rule} Rule */
/** @typedef {import('./rule.js').Found} Found */
/** @typedef {import('./rule.js').Setting} Setting */
/** @typedef {import('./syntax.js').Statement} Statement */

/**
 * What one direction of a migration sends.
 *
 * @typedef {object} Recording
 * @property {readonly string[]} queries SQL, one for each call of `queryRunner.query`
 * @property {string} [stoppedBy] the error that ended it early: what would have come after it is not known
 */
/**
 * @typedef {object} LintedMigration
 * @property {string} file
 * @property {string} source TypeScript
 * @property {boolean} inTransaction
 * @property {Recording} up
 * @property {Recording} down
 */
/**
 * @typedef {object} Finding
 * @property {string} file
 * @property {number} line
 * @property {string} rule
 * @property {string} statement
 * @property {string} detail what of it hurts
 * @property {string} why
 * @property {string} instead
 * @property {string} source where that is said
 * @property {string} [waiver] the reason, where it is waived
 */
/** @typedef {{ migrations: number, statements: number, findings: Finding[], waived: Finding[] }} Report */

/** A waiver that is wrong is a finding too, which none can waive. */
const WAIVER = {
  name: 'waiver',
  why: 'A waiver is the record of who decided what and why; this one waives nothing.',
  instead: 'Write `// lint-ok: <rule>: <reason>`, or take it out.',
  source: 'docs/migration-lint.md',
};

/**
 * @param {readonly LintedMigration[]} migrations all there are, in their order: a migration is judged by what those
 *   before it have made
 * @param {readonly Rule[]} rules
 * @returns {Report}
 */
export function lint(migrations, rules) {
  const schema = new Schema();
  const reports = migrations.map((migration, index) =>
    new MigrationLint(migration, index, rules).run(schema),
  );
  return {
    migrations: migrations.length,
    statements: reports.reduce((sum, { statements }) => sum + statements, 0),
    findings: reports.flatMap(({ findings }) => findings),
    waived: reports.flatMap(({ waived }) => waived),
  };
}

class MigrationLint {
  /** @type {Finding[]} */
  findings = [];
  statements = 0;

  /**
   * @param {LintedMigration} migration
   * @param {number} index
   * @param {readonly Rule[]} rules
   */
  constructor(migration, index, rules) {
    this.migration = migration;
    this.index = index;
    this.rules = rules;
    this.lines = new SourceLines(migration.source);
  }

  /** @param {Schema} schema what it holds before; afterwards, what `up` has made of it */
  run(schema) {
    const { up, down } = this.migration;
    const upLine = this.lines.enter('up');
    this.direction(schema, 'up', up, upLine);
    const downLine = this.lines.enter('down');
    if (up.queries.length > 0 && down.queries.length === 0) {
      this.report(MISSING_DOWN, downLine, 'down()', down.stoppedBy ?? 'down sends nothing');
    } else {
      this.direction(schema.copy(), 'down', down, downLine);
    }
    return { statements: this.statements, ...this.waive() };
  }

  /**
   * @param {Schema} schema
   * @param {'up' | 'down'} direction
   * @param {Recording} recording
   * @param {number} methodLine
   */
  direction(schema, direction, { queries, stoppedBy }, methodLine) {
    const { inTransaction } = this.migration;
    /** @type {Statement[]} */
    const earlier = [];
    let locked = new Set();
    for (const sql of queries) {
      if (!inTransaction) locked = new Set();
      const together = this.parse(sql, methodLine);
      for (const statement of together) {
        const line = this.lines.find(withoutComments(statement.text)) ?? methodLine;
        const place = { migration: this.index, direction, inTransaction, together };
        this.statement(schema, { schema, ...place, statement, earlier: [...earlier], locked }, locked, line);
        earlier.push(statement);
      }
    }
    if (stoppedBy !== undefined) this.report(UNSEEN, methodLine, `${direction}()`, stoppedBy);
  }

  /**
   * @param {string} sql
   * @param {number} methodLine
   */
  parse(sql, methodLine) {
    try {
      const statements = parseStatements(sql);
      this.statements += statements.length;
      return statements;
    } catch (error) {
      this.statements += 1;
      const line = this.lines.find(withoutComments(sql)) ?? methodLine;
      this.report(DOES_NOT_PARSE, line, sql, /** @type {Error} */ (error).message);
      return [];
    }
  }

  /**
   * Asks every rule, and takes the statement as done.
   *
   * @param {Schema} schema
   * @param {Setting} setting
   * @param {Set<string>} locked
   * @param {number} line
   */
  statement(schema, setting, locked, line) {
    const { node, kind, text } = setting.statement;
    /** @param {(rule: Rule) => Found} check */
    const ask = (check) => {
      for (const rule of this.rules) {
        if (rule.only !== undefined && rule.only !== setting.direction) continue;
        for (const detail of [check(rule) ?? []].flat()) this.report(rule.name, line, text, detail);
      }
    };
    const body = /** @type {never} */ (Object.values(node)[0]);
    const site = new Site(setting);
    ask(({ each }) => each?.(setting.statement, site));
    ask(({ on }) => on?.[/** @type {keyof import('./syntax.js').Nodes} */ (kind)]?.(body, site));

    const created = as(node, 'CreateStmt');
    for (const written of allOf(created?.tableElts, 'ColumnDef')) {
      const columnSite = new ColumnSite(setting, created?.relation, 'create');
      ask(({ column }) => column?.(declarationOf(written), columnSite));
    }

    const { relation, cmds } = as(node, 'AlterTableStmt') ?? {};
    for (const command of allOf(cmds, 'AlterTableCmd')) {
      const alterSite = new AlterSite(setting, relation);
      const { subtype, def } = command;
      if (subtype) ask(({ alter }) => alter?.[subtype]?.(command, alterSite));
      const written = as(def, 'ColumnDef');
      if (written) {
        const columnSite = new ColumnSite(setting, relation, subtype === 'AT_AddColumn' ? 'add' : 'change');
        const declared = { ...declarationOf(written), name: written.colname ?? command.name ?? '' };
        ask(({ column }) => column?.(declared, columnSite));
      }
      for (const table of lockedBy(relation, command)) locked.add(table);
      applyAlteration(schema, relation, command, this.index);
    }
    for (const table of lockedByStatement(node)) locked.add(table);
    applyStatement(schema, node, this.index);
  }

  /**
   * @param {string} name of the rule
   * @param {number} line
   * @param {string} statement
   * @param {string} detail
   */
  report(name, line, statement, detail) {
    const rule = this.rules.find((candidate) => candidate.name === name) ?? WAIVER;
    const { why, instead, source } = rule;
    const { file } = this.migration;
    this.findings.push({
      file,
      line,
      rule: name,
      statement: shortened(statement),
      detail,
      why,
      instead,
      source,
    });
  }

  /** @returns {{ findings: Finding[], waived: Finding[] }} */
  waive() {
    const { waivers, faults } = waiversIn(this.migration.source, new Set(this.rules.map(({ name }) => name)));
    const reasons = new Map(waivers.map(({ rule, reason }) => [rule, reason]));
    const waived = this.findings.flatMap((finding) => {
      const waiver = reasons.get(finding.rule);
      return waiver === undefined ? [] : { ...finding, waiver };
    });
    this.findings = this.findings.filter(({ rule }) => !reasons.has(rule));
    for (const { line, text, fault } of faults) this.report(WAIVER.name, line, text, fault);
    for (const { line, rule, reason } of waivers) {
      if (waived.some((finding) => finding.rule === rule)) continue;
      this.report(WAIVER.name, line, `// lint-ok: ${rule}: ${reason}`, `no finding of ${rule} here`);
    }
    return { findings: this.findings.sort((one, other) => one.line - other.line), waived };
  }
}

/** @param {string} sql */
function withoutComments(sql) {
  return sql.replace(/^(?:\s+|--.*\n|\/\*[\s\S]*?\*\/)+/, '');
}

/** @param {string} statement */
function shortened(statement) {
  const line = withoutComments(statement).replace(/\s+/g, ' ').trim();
  return line.length > LONGEST_SHOWN ? `${line.slice(0, LONGEST_SHOWN - 1)}…` : line;
}

const LONGEST_SHOWN = 72;
