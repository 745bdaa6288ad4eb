import { existsSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ROOT } from './environment.js';

/**
 * The last step of `npm run build`: describes each compiled migration in one file, so that a boot need not load the code
 * of those that were applied long ago. Takes the folder of the build, `dist` without one.
 */
const dist = resolve(process.argv[2] ?? join(ROOT, 'dist'));
const folder = join(dist, 'database', 'migrations');

if (existsSync(folder)) {
  /** @type {typeof import('../src/migrator/history/migration-files.js')} */
  const { MANIFEST, describeMigrations } = await import(
    pathToFileURL(join(dist, 'migrator', 'history', 'migration-files.js')).href
  );
  writeFileSync(join(folder, MANIFEST), `${JSON.stringify(await describeMigrations(folder), null, 2)}\n`);
}
