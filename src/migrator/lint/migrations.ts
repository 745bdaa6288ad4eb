import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { findMigrations } from '../history/migration-files.js';
import { record } from '../history/recorded-statements.js';
import type { Migration } from '../migration.js';
import type { LintedMigration, Recording } from './lint.js';

/**
 * @param folder of the migrations' TypeScript
 * @throws {Error} for a file that is not named as a migration
 */
export async function readMigrations(folder: string): Promise<LintedMigration[]> {
  const migrations = await Promise.all(
    (await findMigrations(folder)).map(async ({ name, timestamp, load }) => {
      const file = `${timestamp}-${name.slice(0, -13)}.ts`;
      const migration = new (await load())();
      return {
        file,
        source: readFileSync(join(folder, file), 'utf8'),
        inTransaction: migration.transaction !== false,
        up: await recordingOf(migration, 'up'),
        down: await recordingOf(migration, 'down'),
      };
    }),
  );
  const stray = readdirSync(folder).find(
    (name) => /(?<!\.spec)\.ts$/.test(name) && !migrations.some(({ file }) => file === name),
  );
  if (stray !== undefined) throw new Error(`${folder}/${stray} must be named <13 digits>-<Name>.ts`);
  return migrations;
}

export async function recordingOf(migration: Migration, direction: 'up' | 'down'): Promise<Recording> {
  const { statements, stoppedBy } = await record(migration, direction);
  return { queries: statements.map(({ sql }) => sql), stoppedBy };
}
