import { spawnSync } from 'node:child_process';
import { accessSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './environment.js';
import { startEphemeralCluster } from './postgres/embedded-postgres.js';

/**
 * `npm run mutation -- [subjects]`: Stryker changes the code of each subject, one edit at a time, and runs its tests. It
 * exits 1 if they notice less than 80 % of the edits of a subject.
 * https://stryker-mutator.io/docs/stryker-js/configuration/
 */
const SUBJECTS: Readonly<Record<string, readonly [code: string, tests: string]>> = {
  cursor: ['src/http/paging/cursor.ts', 'src/http/paging/cursor.spec.ts'],
  retry: ['src/database/deadlock.ts', 'src/database/deadlock.spec.ts'],
  lock: ['src/migrator/apply/migration-lock.ts', 'test/migrations/lock.spec.ts'],
  idempotency: [
    'src/idempotency/idempotency.service.ts,src/idempotency/idempotency.repository.ts',
    'test/entries/idempotency.spec.ts',
  ],
};

/** No dependency of the project: 100 packages that this command alone needs. The last major for Node 20. */
const RELEASE = '9.6.1';

const packages = ['core', 'jest-runner'].map((name) => `--package=@stryker-mutator/${name}@${RELEASE}`);
const named = process.argv.slice(2);
const cluster = await startEphemeralCluster();
for (const name of named.length > 0 ? named : Object.keys(SUBJECTS)) {
  const subject = SUBJECTS[name];
  if (!subject) throw new Error(`There is no subject ${name}, only ${Object.keys(SUBJECTS).join(', ')}`);
  const [code, tests] = subject;
  // Stryker passes if there is nothing to edit.
  for (const file of code.split(',')) accessSync(join(ROOT, file));
  const run = ['--yes', ...packages, 'stryker', 'run', '.ci/stryker.config.js', '--mutate', code];
  const env = { ...process.env, TEST_DATABASE_URL: cluster.url('postgres'), MUTATION_TESTS: tests };
  const { status } = spawnSync('npx', run, { cwd: ROOT, stdio: 'inherit', env });
  if (status !== 0) process.exitCode = 1;
}
await cluster.stop();
