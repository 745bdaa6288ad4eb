import { readFileSync, readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { ROOT } from './environment.js';
import { ExplainedError, explain } from './explained-error.js';
import { lint } from './migration-lint/lint.js';
import { record } from './migration-lint/recording.js';
import { describeReport } from './migration-lint/report.js';
import { RULES } from './migration-lint/rules.js';

/**
 * `npm run migration:lint [-- --json] [-- <files…>]`: looks for what locks, rewrites or breaks in the SQL of the
 * migrations, and needs no database. All are read, since each is judged by the schema that those before it have made;
 * with files named, only what is found in those is told. Exit code 1 where anything is found that is not waived, 2
 * where it could not look.
 */

const FOLDER = 'src/database/migrations';
const COMPILED = join(ROOT, 'dist', 'database', 'migrations');
const DIST = new URL('../dist/migrator', import.meta.url).href;

/** Of the built application. Computed paths, since there need be no build when these lines are type-checked. */
const built = {
  /** @returns {Promise<typeof import('../src/migrator/history/migration-files.js')>} */
  migrationFiles: () => import(`${DIST}/history/migration-files.js`),
  /** @returns {Promise<typeof import('../src/migrator/history/recorded-statements.js')>} */
  recordedStatements: () => import(`${DIST}/history/recorded-statements.js`),
};

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  console.error(`migration lint: ${explain(error)}`);
  process.exitCode = 2;
}

/**
 * @param {string[]} args
 * @returns {Promise<number>} exit code
 */
async function main(args) {
  const isJson = args.includes('--json');
  const wanted = args.filter((arg) => arg !== '--json').map((arg) => basename(arg));
  const migrations = await readMigrations();
  for (const file of wanted) {
    if (file.startsWith('-')) throw new ExplainedError(`no such option as ${file}; there is --json`);
    if (!migrations.some((migration) => migration.file === file))
      throw new ExplainedError(`no migration ${file}`);
  }

  const report = lint(migrations, RULES);
  const isWanted = (/** @type {{ file: string }} */ { file }) => wanted.length === 0 || wanted.includes(file);
  const told = {
    ...report,
    findings: report.findings.filter(isWanted),
    waived: report.waived.filter(isWanted),
  };
  console.log(isJson ? JSON.stringify(told, null, 2) : describeReport(told, FOLDER));
  return told.findings.length > 0 ? 1 : 0;
}

/** @returns {Promise<import('./migration-lint/lint.js').LintedMigration[]>} */
async function readMigrations() {
  const { findMigrations } = await built.migrationFiles();
  const { recordStatements } = await built.recordedStatements();
  const files = await findMigrations(COMPILED);
  const names = files.map(({ name, timestamp }) => `${timestamp}-${name.replace(/\d+$/, '')}.ts`);
  const sources = readdirSync(join(ROOT, FOLDER)).filter((file) => /(?<!\.spec)\.ts$/.test(file));
  const stray = sources.find((file) => !names.includes(file));
  if (stray !== undefined) {
    throw new ExplainedError(
      `${FOLDER}/${stray} is not in the build: run npm run build; it must be named <13 digits>-<Name>.ts`,
    );
  }
  return Promise.all(
    files.map(async ({ load }, index) => {
      const file = names[index] ?? '';
      const migration = new (await load())();
      return {
        file,
        source: readFileSync(join(ROOT, FOLDER, file), 'utf8'),
        inTransaction: migration.transaction !== false,
        up: await record(migration, 'up', recordStatements),
        down: await record(migration, 'down', recordStatements),
      };
    }),
  );
}
