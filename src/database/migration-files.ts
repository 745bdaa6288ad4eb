import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { MigrationInterface } from 'typeorm';

export type MigrationClass = new () => MigrationInterface;

/** What `migration:generate` names its files: the time, ms since the epoch, and the name. */
const FILE = /^(\d{13})-\w+\.(?:js|ts)$/;

/**
 * The migrations beside this file, oldest first.
 *
 * @throws {Error} where a file has no migration in it
 */
export async function loadMigrations(): Promise<MigrationClass[]> {
  const folder = join(import.meta.dirname, 'migrations');
  if (!existsSync(folder)) return [];
  const files = (await readdir(folder)).filter((file) => FILE.test(file)).sort();
  const migrations: MigrationClass[] = [];
  for (const file of files) {
    const module = (await import(pathToFileURL(join(folder, file)).href)) as Record<string, unknown>;
    const classes = Object.values(module).filter(
      (value): value is MigrationClass => typeof value === 'function',
    );
    if (classes.length !== 1) throw new Error(`${file} must export one migration and no more`);
    migrations.push(...classes);
  }
  return migrations;
}
