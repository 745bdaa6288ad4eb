import { readdirSync } from 'node:fs';
import { MIGRATIONS } from '../../../src/database/schema-files.js';

/** The newest migration by its class name, such as `AddMails1795988060816`. */
export function newestMigration(): string {
  const [, timestamp, name] =
    /^(\d{13})-(\w+)\.ts$/.exec(readdirSync(MIGRATIONS).toSorted().at(-1) ?? '') ?? [];
  if (!timestamp || !name) throw new Error(`no migration in ${MIGRATIONS}`);
  return name + timestamp;
}
