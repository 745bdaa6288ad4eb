import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import * as z from 'zod';
import type { MigrationClass, MigrationDescription } from '../migration.js';
import { MigrationError } from '../migrator-errors.js';
import { checksumOf } from './recorded-statements.js';

/** Written by `npm run bundle`, so that a start does not load the code of applied migrations. */
export const MANIFEST = 'manifest.json';

/** File name of `migration:generate`: ms since the epoch, and the name. */
const FILE = /^(\d{13})-(\w+)\.(?:js|ts)$/;

/** A value that a migration is to lose, and why. The reason has at least 10 characters. */
const LOSSY = /^\s*\/\/ lossy: (\S+): .{10,}$/gm;

const manifestSchema = z.record(
  z.string(),
  z.object({
    name: z.string(),
    timestamp: z.int(),
    checksum: z.string(),
    compatible: z.boolean(),
    lossy: z.array(z.string()),
  }),
);

/** A migration of this build; `load` imports its code. */
export interface MigrationFile extends MigrationDescription {
  readonly load: () => Promise<MigrationClass>;
}

/**
 * The migrations of a folder, oldest first. Migrations that are not in the manifest are loaded; a
 * build that is not bundled has no manifest.
 *
 * @throws {MigrationError} if a file cannot be loaded, or does not export the class that its name requires
 */
export async function findMigrations(folder: string): Promise<MigrationFile[]> {
  if (!existsSync(folder)) return [];
  const manifest = readManifest(folder);
  const migrations: MigrationFile[] = [];
  for (const file of filesIn(folder)) {
    const load = () => loadMigration(folder, file);
    migrations.push({ ...(manifest[file] ?? (await describe(folder, file))), load });
  }
  return migrations;
}

export async function loadMigrations(folder: string): Promise<MigrationClass[]> {
  const types: MigrationClass[] = [];
  for (const { load } of await findMigrations(folder)) types.push(await load());
  return types;
}

export async function describeMigrations(folder: string): Promise<Record<string, MigrationDescription>> {
  const descriptions: Record<string, MigrationDescription> = {};
  for (const file of filesIn(folder)) descriptions[file] = await describe(folder, file);
  return descriptions;
}

/** Oldest first. */
function filesIn(folder: string): string[] {
  return readdirSync(folder)
    .filter((file) => FILE.test(file))
    .sort();
}

async function loadMigration(folder: string, file: string): Promise<MigrationClass> {
  const [, timestamp = '', name = ''] = FILE.exec(file) ?? [];
  const path = join(folder, file);
  const module = await (import(pathToFileURL(path).href) as Promise<Readonly<Record<string, unknown>>>).catch(
    (error: unknown) => {
      throw new MigrationError(`The migration file ${path} cannot be loaded: ${String(error)}`, {
        cause: error,
      });
    },
  );
  const exported = module[`${name}${timestamp}`];
  if (typeof exported !== 'function') {
    throw new MigrationError(`The migration file ${file} must export a class ${name}${timestamp}`);
  }
  return exported as MigrationClass;
}

async function describe(folder: string, file: string): Promise<MigrationDescription> {
  const type = await loadMigration(folder, file);
  const source = readFileSync(join(folder, file), 'utf8');
  const migration = new type();
  return {
    name: type.name,
    timestamp: Number(type.name.slice(-13)),
    checksum: await checksumOf(migration),
    compatible: migration.compatible ?? false,
    lossy: [...source.matchAll(LOSSY)].map(([, what = '']) => what),
  };
}

function readManifest(folder: string): Readonly<Record<string, MigrationDescription>> {
  try {
    return manifestSchema.parse(JSON.parse(readFileSync(join(folder, MANIFEST), 'utf8')));
  } catch {
    return {};
  }
}
