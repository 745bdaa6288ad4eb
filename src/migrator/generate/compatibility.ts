import { replacedBy, replaceIdentifier } from './replacement/expansions.js';
import type { Definition, Snapshot, Table } from './snapshot.js';

/** Types whose values a driver returns in the same form. */
const ALIKE = [
  /^(?:text|citext|character varying(?:\(\d+\))?)$/,
  /^(?:smallint|integer)$/,
  /^numeric(?:\(\d+,\d+\))?$/,
];

/**
 * Whether a release written for one schema can read and write the other: everything it uses still exists, and nothing new
 * refuses what it writes.
 */
export function worksWith(before: Snapshot, after: Snapshot): boolean {
  const isSame = Object.entries(before.views).every(([name, { sql }]) => after.views[name]?.sql === sql);
  const hasValues = Object.entries(before.enums).every(([name, labels]) => {
    const next = after.enums[name];
    return next === undefined || labels.every((label) => next.includes(label));
  });
  return (
    isSame &&
    hasValues &&
    Object.entries(before.tables).every(([name, table]) => {
      const next = after.tables[name];
      return next !== undefined && keepsColumns(table, next) && acceptsRows(table, next);
    })
  );
}

function keepsColumns(before: Table, after: Table): boolean {
  return Object.entries(before.columns).every(([name, { type, notNull }]) => {
    const next = after.columns[name];
    return next !== undefined && next.notNull === notNull && isAlike(type, next.type);
  });
}

function isAlike(a: string, b: string): boolean {
  return a === b || ALIKE.some((types) => types.test(a) && types.test(b));
}

function acceptsRows(before: Table, after: Table): boolean {
  const known = [...Object.values(before.constraints), ...Object.values(before.indexes)].map(shapeOf);
  const isFilled = (name: string) => {
    const column = after.columns[name];
    return (
      before.columns[name] !== undefined ||
      replacedBy(after, name) !== undefined ||
      column?.notNull === false ||
      (column?.default ?? column?.identity ?? null) !== null
    );
  };
  const isKnown = (definition: Definition) => {
    const old = definition.columns.reduce((each, to) => {
      const from = replacedBy(after, to);
      return from === undefined ? each : { ...each, sql: replaceIdentifier(each.sql, to, from) };
    }, definition);
    const [, nullable] = /^CHECK \(\((.+) IS NOT NULL\)\)/.exec(old.sql) ?? [];
    return known.includes(shapeOf(old)) || before.columns[nullable ?? '']?.notNull === true;
  };
  const rules = [
    ...Object.values(after.constraints),
    ...Object.values(after.indexes).filter(({ sql }) => sql.startsWith('CREATE UNIQUE')),
  ];
  return (
    Object.keys(after.columns).every(isFilled) &&
    rules.every(
      (rule) =>
        rule.columns.every(
          (name) => before.columns[name] === undefined && replacedBy(after, name) === undefined,
        ) || isKnown(rule),
    )
  );
}

/** A definition without its name, and whether it has been validated. */
function shapeOf({ sql }: Definition): string {
  const [, columns] = /^CREATE UNIQUE INDEX .* ON \S+ USING btree (\([^)]*\))$/.exec(sql) ?? [];
  return columns === undefined
    ? sql.replace(/ NOT VALID$/, '').replace(/INDEX \S+ ON/, 'INDEX ON')
    : `UNIQUE ${columns}`;
}
