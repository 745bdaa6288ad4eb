import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

export interface BuildCopy {
  /** Its main.js, for Program.start. */
  readonly program: string;
  /** Its folder of compiled migrations. */
  readonly migrations: string;
  remove(): void;
}

/** What a migration's class body says, by the name of its file: `9000000000001-AddThing`. */
export type MigrationSources = Readonly<Record<string, string>>;

/**
 * A release of the service with other migrations than this one's: `add` are written beside the compiled ones, and
 * those whose files match `without` are left out. `built` is what to copy: the bundle, where nothing else is said.
 */
export function copyBuild(
  add: MigrationSources = {},
  without?: RegExp,
  built = dirname(process.env['TEST_PROGRAM']!),
): BuildCopy {
  // Beside the other, so that it finds node_modules.
  const folder = mkdtempSync(`${built}-`);
  cpSync(built, folder, {
    recursive: true,
    filter: (source) => without === undefined || !source.includes('/migrations/') || !without.test(source),
  });
  const migrations = join(folder, 'database/migrations');
  for (const [file, body] of Object.entries(add)) {
    const [timestamp, name] = file.split('-');
    writeFileSync(join(migrations, `${file}.js`), `export class ${name}${timestamp} {\n${body}\n}\n`);
  }
  return {
    program: join(folder, 'main.js'),
    migrations,
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
