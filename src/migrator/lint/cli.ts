import { basename } from 'node:path';
import { parseArgs } from 'node:util';
import { lint } from './lint.js';
import { readMigrations } from './migrations.js';
import { describeReport, type Finding } from './report.js';
import { RULES } from './rules/rules.js';

/**
 * `npm run migration:lint [-- --json] [-- <files…>]` finds statements of the migrations that lock or rewrite
 * tables or break a release, without a database. It reads all migrations, because a finding depends on the schema that
 * earlier ones create, and reports only those of the named files, if any. Exit code 1 for a finding that is not waived,
 * 2 for an error.
 */
try {
  process.exitCode = await main();
} catch (error) {
  console.error(`migration lint: ${(error as Error).message}`);
  process.exitCode = 2;
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      folder: { type: 'string', default: 'src/database/migrations' },
      json: { type: 'boolean', default: false },
    },
  });
  const migrations = await readMigrations(values.folder);
  const named = positionals.map((path) => basename(path));
  const unknown = named.find((name) => !migrations.some(({ file }) => file === name));
  if (unknown !== undefined) throw new Error(`no migration ${unknown}`);

  const report = lint(migrations, RULES);
  const isNamed = ({ file }: Finding) => named.length === 0 || named.includes(file);
  const findings = report.findings.filter(isNamed);
  const shown = { ...report, findings, waived: report.waived.filter(isNamed) };
  console.log(values.json ? JSON.stringify(shown, null, 2) : describeReport(shown, values.folder));
  return findings.length > 0 ? 1 : 0;
}
