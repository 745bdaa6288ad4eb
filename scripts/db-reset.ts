import { createInterface } from 'node:readline/promises';
import pg from 'pg';
import { readEnvironment } from '../src/config/environment.js';
import { databaseSetting } from './environment.js';
import { ExplainedError, codeOf, explain } from './explained-error.js';
import { startCluster } from './postgres/embedded-postgres.js';

/**
 * `npm run db:reset`: drops the database `entries` of the embedded PostgreSQL, with everything in it. The next start creates
 * it again. It asks first; `--yes` answers.
 */

/** SQLSTATE of a database that has connections. */
const OBJECT_IN_USE = '55006';

try {
  await main();
} catch (error) {
  console.error(`npm run db:reset: ${explain(error)}`);
  process.exitCode = 1;
}

async function main(): Promise<void> {
  const setting = databaseSetting(readEnvironment());
  if (setting !== undefined) {
    throw new ExplainedError(
      `only the embedded database is reset, and ${setting} names another: use dropdb and createdb for that`,
    );
  }
  if (!(await isConfirmed())) {
    console.log('nothing is changed');
    return;
  }
  const cluster = await startCluster((line) => console.log(line));
  try {
    const client = new pg.Client({ connectionString: cluster.url('postgres') });
    await client.connect();
    await client.query('DROP DATABASE IF EXISTS entries').finally(() => client.end());
    console.log('database: entries is deleted; npm start creates it again');
  } catch (error) {
    if (codeOf(error) !== OBJECT_IN_USE) throw error;
    throw new ExplainedError('the database is in use: stop npm start first');
  } finally {
    await cluster.stop();
  }
}

async function isConfirmed(): Promise<boolean> {
  if (process.argv.includes('--yes')) return true;
  const question = 'delete all users and entries of the embedded database?';
  if (!process.stdin.isTTY) throw new ExplainedError(`${question} Repeat it as npm run db:reset -- --yes`);
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  try {
    return (await terminal.question(`${question} Type yes: `)) === 'yes';
  } finally {
    terminal.close();
  }
}
