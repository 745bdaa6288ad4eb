import 'reflect-metadata';
import { ConfigError, EXIT_CONFIG, loadCommandConfig } from '../config/config.js';
import { runCommand, type Context } from '../migrator/commands/command.js';
import { operate } from '../migrator/commands/operate.js';
import type { MigrationLog } from '../migrator/migration-log.js';
import { describeError } from '../observability/error-description.js';
import { nameSourcesInStacks } from '../observability/stack-trace.js';
import { waitForDatabase } from './connection/database-wait.js';
import { isExpected } from './expected-errors.js';
import { migratorOptions } from './migrator-options.js';

/** ms. Short, because a person waits, or a job that will be retried. */
const DATABASE_WAIT_MS = 10_000;

// The report goes to the standard output, and what happens on the way to it elsewhere.
const log: MigrationLog = { info: (line) => console.error(line), warn: (line) => console.error(line) };

const withOptions: Context['withOptions'] = async (work) => {
  const config = loadCommandConfig();
  await waitForDatabase(config.migrationsDatabase, (line) => log.warn(line), DATABASE_WAIT_MS);
  return work(migratorOptions(config));
};

nameSourcesInStacks();
try {
  process.exitCode = await runCommand('node dist/database/migrate.js', process.argv.slice(2), [operate], {
    log,
    withOptions,
  });
} catch (error) {
  process.exitCode = error instanceof ConfigError ? EXIT_CONFIG : 1;
  if (error instanceof ConfigError || isExpected(error)) console.error(error.message);
  else console.error(error instanceof Error ? describeError(error).stack : error);
}
