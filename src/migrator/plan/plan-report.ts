import type { PlannedMigration, TableEffect } from './plan-migrations.js';

/** Whom a lock stops. https://www.postgresql.org/docs/current/explicit-locking.html#TABLE-LOCK-COMPATIBILITY */
const STOPS: Readonly<Record<string, string>> = {
  'ACCESS EXCLUSIVE': 'stops reads and writes',
  EXCLUSIVE: 'stops writes',
  'SHARE ROW EXCLUSIVE': 'stops writes',
  SHARE: 'stops writes',
};

/** Lines for a person. */
export function describePlan(migrations: readonly PlannedMigration[]): string[] {
  if (migrations.length === 0) return ['none pending'];
  return migrations.flatMap(({ name, transaction, compatible, statements }) => [
    `${name}${transaction ? '' : ', outside a transaction'}: ${
      compatible
        ? 'the running release keeps working'
        : 'THE RUNNING RELEASE MAY FAIL: it reads or writes what this changes'
    }`,
    ...statements.flatMap(({ sql, tables }) => [
      `  ${shortened(sql)}`,
      ...tables.map((effect) => `    ${describeEffect(effect)}`),
    ]),
  ]);
}

function describeEffect({ table, lock, rewrites, scans, rows, bytes }: TableEffect): string {
  const size = `${rows === undefined ? 'unknown number of' : `about ${rows.toLocaleString('en')}`} rows, ${inUnits(bytes)}`;
  const work = rewrites ? 'rewrites it' : scans ? 'scans it' : 'brief';
  const stops = lock === undefined ? undefined : (STOPS[lock] ?? 'reads and writes go on');
  return [`${table} (${size})`, lock && `${lock} lock`, stops, work].filter(Boolean).join(', ');
}

function shortened(sql: string): string {
  const line = sql.replace(/\s+/g, ' ').trim();
  return line.length > 120 ? `${line.slice(0, 119)}…` : line;
}

function inUnits(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  const power = Math.min(units.length - 1, bytes < 1 ? 0 : Math.floor(Math.log10(bytes) / 3));
  return `${(bytes / 1000 ** power).toFixed(power === 0 ? 0 : 1)} ${units[power]}`;
}
