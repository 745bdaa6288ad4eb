import { unquoted } from '../answers.js';
import { type Column, type Snapshot } from '../snapshot.js';
import { type Statement, now, literal, elementType } from './statement.js';

/** Enums with a removed value or a new order, which PostgreSQL cannot alter. */
export function rebuiltEnums(before: Snapshot, after: Snapshot): string[] {
  return Object.entries(before.enums)
    .filter(([name, labels]) => {
      const next = after.enums[name];
      return (
        next !== undefined && next.filter((label) => labels.includes(label)).join('\0') !== labels.join('\0')
      );
    })
    .map(([name]) => name);
}

export function enumStatements(
  name: string,
  labels: readonly string[],
  before: Snapshot,
  after: Snapshot,
): Statement[] {
  const list = labels.map(literal).join(', ');
  const old = before.enums[name];
  if (old === undefined) return [now(`CREATE TYPE ${name} AS ENUM (${list})`)];
  if (rebuiltEnums(before, after).includes(name)) {
    const retired = `"${unquoted(name).replace(/^.*\./, '')}_retired"`;
    return [
      now(`ALTER TYPE ${name} RENAME TO ${retired}`),
      now(`CREATE TYPE ${name} AS ENUM (${list})`),
      ...columnsOfType(name, before, after).flatMap(({ table, column, shape, next }) =>
        retypeEnum(table, column, shape, next, name, old, labels),
      ),
      now(`DROP TYPE ${retired}`),
    ];
  }
  return labels.flatMap((label, index) => {
    if (old.includes(label)) return [];
    const [previous, next] = [labels[index - 1], labels[index + 1]];
    const position =
      previous !== undefined
        ? ` AFTER ${literal(previous)}`
        : next === undefined
          ? ''
          : ` BEFORE ${literal(labels.find((each) => old.includes(each)) ?? next)}`;
    return [{ sql: `ALTER TYPE ${name} ADD VALUE ${literal(label)}${position}`, step: 0 } as const];
  });
}

function retypeEnum(
  table: string,
  column: string,
  shape: Column,
  next: Column | undefined,
  name: string,
  old: readonly string[],
  labels: readonly string[],
): Statement[] {
  const list = labels.map(literal).join(', ');
  const fallback =
    next?.notNull && next.default !== null && !shape.type.endsWith('[]') ? next.default : 'NULL';
  const removed = old.filter((label) => !labels.includes(label));
  const using = shape.type.endsWith('[]')
    ? `${removed.reduce((array, label) => `array_remove(${array}, ${literal(label)})`, `${column}::text[]`)}::${name}[]`
    : `CASE WHEN ${column}::text IN (${list}) THEN ${column}::text::${name} WHEN ${column} IS NOT NULL THEN ${fallback} END`;
  return [
    ...(shape.default === null ? [] : [now(`ALTER TABLE ${table} ALTER COLUMN ${column} DROP DEFAULT`)]),
    now(`ALTER TABLE ${table} ALTER COLUMN ${column} TYPE ${shape.type} USING ${using}`),
  ];
}

function columnsOfType(name: string, before: Snapshot, after: Snapshot) {
  return Object.entries(before.tables).flatMap(([table, { columns }]) =>
    Object.entries(columns)
      .filter(
        ([column, { type }]) =>
          elementType(type) === name && after.tables[table]?.columns[column]?.type === type,
      )
      .map(([column, shape]) => ({ table, column, shape, next: after.tables[table]?.columns[column] })),
  );
}
