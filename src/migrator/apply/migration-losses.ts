import { Client } from 'pg';
import type { MigratorOptions } from '../migrator-options.js';
import { patientClientConfig } from '../connection/connection-options.js';
import { findMigrations } from '../history/migration-files.js';
import { recordStatements } from '../history/recorded-statements.js';

const NAME = String.raw`((?:"(?:[^"]|"")+"|\w+)(?:\.(?:"(?:[^"]|"")+"|\w+))?)`;
const DROP_TABLE = new RegExp(String.raw`^\s*DROP\s+TABLE\s+(?:IF\s+EXISTS\s+)?${NAME}`, 'i');
const DROP_COLUMN = new RegExp(
  String.raw`^\s*ALTER\s+TABLE\s+${NAME}\s+DROP\s+COLUMN\s+(?:IF\s+EXISTS\s+)?${NAME}`,
  'i',
);

/**
 * Lists the stored data that a revert would delete: rows of dropped tables and values of dropped columns, one line
 * each, and other statements that delete rows.
 */
export async function lossesOf(name: string, { database, migrations }: MigratorOptions): Promise<string[]> {
  const file = (await findMigrations(migrations)).find((migration) => migration.name === name);
  if (!file) return [];
  const statements = await recordStatements(new (await file.load())(), 'down');
  const client = new Client(patientClientConfig(database, 'migrations'));
  client.on('error', () => {});
  await client.connect();
  const count = async (text: string) => {
    const { rows } = await client.query<{ count: number }>(text);
    return rows[0]?.count ?? 0;
  };
  const losses: string[] = [];
  try {
    for (const { sql } of statements) {
      const [, table] = DROP_TABLE.exec(sql) ?? [];
      const [, owner, column] = DROP_COLUMN.exec(sql) ?? [];
      if (table !== undefined) {
        const rows = await count(`SELECT count(*)::int AS count FROM ${table}`);
        if (rows > 0) losses.push(`table ${table}: ${rows} rows`);
      } else if (owner !== undefined && column !== undefined) {
        const values = await count(`SELECT count(${column})::int AS count FROM ${owner}`);
        if (values > 0) losses.push(`column ${owner}.${column}: ${values} values`);
      } else if (/^\s*(?:DELETE|TRUNCATE|DROP\s+SCHEMA)\b/i.test(sql)) {
        losses.push(`the rows deleted by: ${sql.replace(/\s+/g, ' ').trim()}`);
      }
    }
  } finally {
    await client.end();
  }
  return losses;
}
