import { siteOf, tableSiteOf, type Found, type Rule, type Setting } from './rule.js';
import type { Finding, Report } from './report.js';
import { DOES_NOT_PARSE, MISSING_DOWN, UNSEEN } from './rules/whole-migration.js';
import { applyAlteration } from './schema/apply-alteration.js';
import { applyStatement } from './schema/apply-statement.js';
import { declarationOf } from './schema/column-declaration.js';
import { lockedByCommand, lockedByStatement } from './schema/locked-tables.js';
import { Schema } from './schema/schema.js';
import { SourceLines } from './source-lines.js';
import { allOf, as, dispatch, parseStatements, type Statement } from './syntax.js';
import { waiversIn } from './waivers.js';

/** What one direction of a migration sends. */
export interface Recording {
  /** SQL, one for each call of `queryRunner.query`. */
  readonly queries: readonly string[];
  /** The error that ended it early: what would have come after it is not known. */
  readonly stoppedBy?: string | undefined;
}

export interface LintedMigration {
  readonly file: string;
  /** TypeScript. */
  readonly source: string;
  readonly inTransaction: boolean;
  readonly up: Recording;
  readonly down: Recording;
}

/** A wrong waiver is a finding too, which none can waive. */
const WAIVER: Rule = {
  name: 'waiver',
  why: 'A waiver is the record of who decided what and why; this one waives nothing.',
  instead: 'Write `// lint-ok: <rule>: <reason>`, or take it out.',
  source: 'docs/migration-lint.md',
};

const LONGEST_SHOWN = 72;

/** @param migrations all, in their order: a migration is judged by what those before it have made */
export function lint(migrations: readonly LintedMigration[], rules: readonly Rule[]): Report {
  const schema = new Schema();
  const reports = migrations.map((migration, index) => {
    schema.now = index;
    return new MigrationLint(migration, rules).run(schema);
  });
  return {
    migrations: migrations.length,
    statements: reports.reduce((sum, { statements }) => sum + statements, 0),
    findings: reports.flatMap(({ findings }) => findings),
    waived: reports.flatMap(({ waived }) => waived),
  };
}

class MigrationLint {
  private readonly found: Finding[] = [];
  private readonly lines: SourceLines;
  private statements = 0;

  constructor(
    private readonly migration: LintedMigration,
    private readonly rules: readonly Rule[],
  ) {
    this.lines = new SourceLines(migration.source);
  }

  /** @param schema changes to what `up` makes of it */
  run(schema: Schema) {
    const { up, down } = this.migration;
    this.direction(schema, 'up', this.lines.enter('up'));
    const downLine = this.lines.enter('down');
    if (up.queries.length > 0 && down.queries.length === 0) {
      this.report(MISSING_DOWN, downLine, 'down()', down.stoppedBy ?? 'down sends nothing');
    } else {
      this.direction(schema.copy(), 'down', downLine);
    }
    return { statements: this.statements, ...this.waive() };
  }

  private direction(schema: Schema, direction: 'up' | 'down', methodLine: number): void {
    const { inTransaction, [direction]: recording } = this.migration;
    const earlier: Statement[] = [];
    const locked = new Set<string>();
    for (const sql of recording.queries) {
      if (!inTransaction) locked.clear();
      const together = this.parse(sql, methodLine);
      for (const statement of together) {
        const line = this.lines.find(withoutComments(statement.text)) ?? methodLine;
        const setting = { schema, direction, inTransaction, together, earlier, locked };
        this.check(statement, setting, locked, line);
        earlier.push(statement);
      }
    }
    if (recording.stoppedBy !== undefined)
      this.report(UNSEEN, methodLine, `${direction}()`, recording.stoppedBy);
  }

  private parse(sql: string, methodLine: number): Statement[] {
    try {
      const statements = parseStatements(sql);
      this.statements += statements.length;
      return statements;
    } catch (error) {
      this.statements += 1;
      const line = this.lines.find(withoutComments(sql)) ?? methodLine;
      this.report(DOES_NOT_PARSE, line, sql, (error as Error).message);
      return [];
    }
  }

  /** Asks every rule, and takes the statement as done. */
  private check(statement: Statement, setting: Setting, locked: Set<string>, line: number): void {
    const { schema, direction } = setting;
    const { node, text } = statement;
    const ask = (question: (rule: Rule) => Found) => {
      for (const rule of this.rules) {
        if (rule.only !== undefined && rule.only !== direction) continue;
        for (const detail of [question(rule) || []].flat()) this.report(rule.name, line, text, detail);
      }
    };
    const site = siteOf(setting);
    ask(({ each }) => each?.(statement, site));
    ask(({ on }) => dispatch(on, node, site));

    const created = as(node, 'CreateStmt');
    for (const written of allOf(created?.tableElts, 'ColumnDef')) {
      const tableSite = tableSiteOf(site, created?.relation, false);
      ask(({ column }) => column?.(declarationOf(written), tableSite));
    }

    const { relation, cmds } = as(node, 'AlterTableStmt') ?? {};
    for (const command of allOf(cmds, 'AlterTableCmd')) {
      const { subtype, def, name } = command;
      const tableSite = tableSiteOf(site, relation, subtype === 'AT_AddColumn');
      if (subtype) ask(({ alter }) => alter?.[subtype]?.(command, tableSite));
      const written = as(def, 'ColumnDef');
      if (written) ask(({ column }) => column?.(declarationOf(written, written.colname ?? name), tableSite));
      for (const table of lockedByCommand(relation, command)) locked.add(table);
      applyAlteration(schema, relation, command);
    }
    for (const table of lockedByStatement(node)) locked.add(table);
    applyStatement(schema, node);
  }

  private report(name: string, line: number, statement: string, detail: string): void {
    const { why, instead, source } = this.rules.find((rule) => rule.name === name) ?? WAIVER;
    const { file } = this.migration;
    const shown = shortened(statement);
    this.found.push({ file, line, rule: name, statement: shown, detail, why, instead, source });
  }

  private waive(): { findings: Finding[]; waived: Finding[] } {
    const all = waiversIn(this.migration.source, new Set(this.rules.map(({ name }) => name)));
    const reasons = new Map(all.flatMap(({ rule, reason, fault }) => (fault ? [] : [[rule, reason]])));
    const waived = this.found.flatMap((finding) => {
      const waiver = reasons.get(finding.rule);
      return waiver === undefined ? [] : { ...finding, waiver };
    });
    for (const { line, text, rule, fault } of all) {
      const isUsed = waived.some((finding) => finding.rule === rule);
      const problem = fault ?? (isUsed ? undefined : `no finding of ${rule} here`);
      if (problem !== undefined) this.report(WAIVER.name, line, text, problem);
    }
    const findings = this.found.filter(({ rule }) => !reasons.has(rule));
    return { findings: findings.sort((one, other) => one.line - other.line), waived };
  }
}

function withoutComments(sql: string): string {
  return sql.replace(/^(?:\s+|--.*\n|\/\*[\s\S]*?\*\/)+/, '');
}

function shortened(statement: string): string {
  const line = withoutComments(statement).replace(/\s+/g, ' ').trim();
  return line.length > LONGEST_SHOWN ? `${line.slice(0, LONGEST_SHOWN - 1)}…` : line;
}
