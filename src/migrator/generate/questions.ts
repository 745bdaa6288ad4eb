import { unquoted, type Answers, type Question } from './answers.js';
import { conversionOf } from './difference/conversion.js';
import { rebuiltEnums } from './difference/enum-statements.js';
import type { Requirement } from './replacement/backfills.js';
import type { Snapshot } from './snapshot.js';

/**
 * Questions that the entities do not answer: whether a missing field was renamed or dropped, and what to do with values
 * that the new schema cannot hold. Empty if the given answers settle them all.
 *
 * @param orphans tables that no entity describes
 */
export function questionsOf(
  before: Snapshot,
  after: Snapshot,
  orphans: readonly string[],
  answers: Answers,
): Question[] {
  return [
    ...tableQuestions(before, after, orphans, answers),
    ...Object.keys(after.tables).flatMap((table) =>
      before.tables[table] === undefined ? [] : columnQuestions(table, before, after, answers),
    ),
    ...enumQuestions(before, after, answers),
  ];
}

/** Asks for a value for rows with NULL in a column that becomes NOT NULL. */
export function fillQuestions(requirements: readonly Requirement[], { fill }: Answers): Question[] {
  return requirements
    .filter(({ what }) => !fill.has(what))
    .map(({ table, column, what, default: value }) => ({
      text:
        `${what} becomes NOT NULL. This counts the rows that have NULL:\n` +
        `    SELECT count(*) FROM ${table} WHERE ${column} IS NULL;`,
      choices: [
        { flag: `--fill "${what}:${value ?? '<SQL expression>'}"`, effect: 'gives such rows that value' },
      ],
    }));
}

function columnQuestions(table: string, before: Snapshot, after: Snapshot, answers: Answers): Question[] {
  const [old, next] = [before.tables[table]?.columns ?? {}, after.tables[table]?.columns ?? {}];
  const added = Object.entries(next).filter(([name]) => old[name] === undefined);
  const questions: Question[] = [];
  /** New fields that may be the renamed old one. */
  const candidates = new Set<string>();
  for (const [from, to] of answers.rename) if (from.startsWith(`${unquoted(table)}.`)) candidates.add(to);
  for (const [name, { type, generated }] of Object.entries(old)) {
    const column = unquoted(`${table}.${name}`);
    const now = next[name];
    if (now === undefined) {
      if (generated !== null || answers.drop.has(column) || answers.rename.has(column)) continue;
      const renames = added.filter(
        ([, each]) =>
          conversionOf(name, type, each.type, before.enums).keepsValues ||
          sameEnum(type, each.type, before, after),
      );
      for (const [each] of renames) candidates.add(unquoted(each));
      questions.push({
        text: `${column} is no longer in the entity${renames.length > 0 ? `, and ${renames.map(([each]) => each).join(', ')} is new` : ''}`,
        choices: [
          ...renames.map(([each]) => ({
            flag: `--rename ${column}:${unquoted(each)}`,
            effect: `keeps its values, as ${table}.${each}`,
          })),
          { flag: `--drop ${column}`, effect: 'drops the column and its values' },
        ],
      });
    } else if (
      now.type !== type &&
      now.generated === null &&
      !answers.lossy.has(column) &&
      !conversionOf(name, type, now.type, before.enums).keepsValues
    ) {
      questions.push({
        text:
          `${column} becomes ${now.type}, which cannot hold each value of ${type}. This counts the rows concerned:\n` +
          `    ${countQuery(table, name, type, now.type)}`,
        choices: [
          {
            flag: `--lossy ${column}`,
            effect: 'shortens or rounds such values; what does not fit at all becomes the default or NULL',
          },
        ],
      });
    }
  }
  for (const [name, { notNull, default: value, identity, type }] of added) {
    const column = unquoted(`${table}.${name}`);
    const isAsked = candidates.has(unquoted(name)) || answers.fill.has(column);
    if (notNull && value === null && identity === null && !isAsked) {
      questions.push({
        text: `${column} (${type}) is NOT NULL and has no default: rows that exist need a value`,
        choices: [
          {
            flag: `--fill "${column}:<SQL expression>"`,
            effect: 'gives them that value; or make the field nullable, or give it a default',
          },
        ],
      });
    }
  }
  return questions;
}

function tableQuestions(
  before: Snapshot,
  after: Snapshot,
  orphans: readonly string[],
  answers: Answers,
): Question[] {
  const created = Object.keys(after.tables).filter((name) => before.tables[name] === undefined);
  return created.flatMap((name) => {
    const columns = Object.keys(after.tables[name]?.columns ?? {});
    return orphans
      .filter((orphan) => !answers.keep.has(unquoted(orphan)) && !answers.drop.has(unquoted(orphan)))
      .filter((orphan) => {
        const old = Object.keys(before.tables[orphan]?.columns ?? {});
        // Two unrelated tables share few column names besides `id`.
        return (
          old.filter((column) => columns.includes(column)).length >= Math.max(old.length, columns.length) / 2
        );
      })
      .map((orphan) => ({
        text: `no entity describes the table ${orphan} any more, and ${name} is new`,
        choices: [
          {
            flag: `--rename ${unquoted(orphan)}:${unquoted(name)}`,
            effect: 'keeps its rows, under the new name',
          },
          { flag: `--keep ${unquoted(orphan)}`, effect: 'leaves it as it is, and creates the other' },
          { flag: `--drop ${unquoted(orphan)}`, effect: 'drops the table and its rows' },
        ],
      }));
  });
}

function enumQuestions(before: Snapshot, after: Snapshot, answers: Answers): Question[] {
  return rebuiltEnums(before, after).flatMap((name) => {
    const [old, next] = [before.enums[name] ?? [], after.enums[name] ?? []];
    const removed = old.filter((label) => !next.includes(label));
    const added = next.filter((label) => !old.includes(label));
    if (removed.length === 0) return [];
    const columns = Object.entries(before.tables).flatMap(([table, shape]) =>
      Object.entries(shape.columns)
        .filter(
          ([column, { type }]) =>
            type.replace(/\[\]$/, '') === name && after.tables[table]?.columns[column] !== undefined,
        )
        .map(([column]) => unquoted(`${table}.${column}`)),
    );
    const open = columns.filter((column) => !answers.lossy.has(column));
    if (open.length === 0) return [];
    return removed.map((label) => ({
      text: `the enum ${name} no longer has "${label}"${added.length > 0 ? `, and "${added.join('", "')}" is new` : ''}`,
      choices: [
        ...added.map((each) => ({
          flag: `--rename "${unquoted(name)}.${label}:${each}"`,
          effect: `keeps its rows, as "${each}"`,
        })),
        ...open.map((column) => ({
          flag: `--lossy ${column}`,
          effect: 'gives such rows the default, or NULL',
        })),
      ],
    }));
  });
}

function sameEnum(from: string, to: string, before: Snapshot, after: Snapshot): boolean {
  const [old, next] = [before.enums[from], after.enums[to]];
  return old !== undefined && next !== undefined && old.every((label) => next.includes(label));
}

function countQuery(table: string, column: string, from: string, to: string): string {
  if (/^character varying\(\d+\)$/.test(to)) {
    return `SELECT count(*) FROM ${table} WHERE length(${column}::text) > ${/\d+/.exec(to)?.[0] ?? ''};`;
  }
  return /^(?:character varying|text|citext)/.test(from)
    ? `SELECT count(*) FROM ${table} WHERE NOT pg_input_is_valid(${column}, '${to}'); -- PostgreSQL 16 or later`
    : `SELECT count(*) FROM ${table} WHERE ${column}::${to}::${from} IS DISTINCT FROM ${column};`;
}
