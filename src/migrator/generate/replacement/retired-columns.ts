import { unquoted } from '../answers.js';
import { constantDefault, renamedTo, triggerOf } from './expansions.js';
import type { Change } from '../renames.js';
import type { Column, Snapshot, Table } from '../snapshot.js';

/** Drops the triggers of renamed columns. The columns themselves are dropped afterwards. */
export function retirements(before: Snapshot, after: Snapshot): Change[] {
  return Object.entries(before.tables).flatMap(([table, { columns, triggers }]) =>
    Object.entries(columns).flatMap(([name, column]) => {
      const to = renamedTo(column);
      if (to === undefined || after.tables[table]?.columns[name] !== undefined) return [];
      const trigger = triggerOf(to);
      const found = triggers[trigger];
      if (found === undefined) return [];
      return [
        { up: `DROP TRIGGER ${trigger} ON ${table}`, down: found.sql },
        { up: `DROP FUNCTION ${found.functionName}`, down: found.functionSql },
        // Before the trigger exists again: it would copy the empty new column of `down` into the other.
        { up: null, down: `UPDATE ${table} SET ${name} = ${to}` },
      ];
    }),
  );
}

/** The schema that the entities describe, plus the retired columns that stay for now. */
export function withRetired(target: Snapshot, before: Snapshot, drop: ReadonlySet<string>): Snapshot {
  let isUnchanged = true;
  const tables = { ...target.tables };
  for (const [name, old] of Object.entries(before.tables)) {
    const next = tables[name];
    const retired = Object.entries(old.columns).filter(
      ([column, shape]) =>
        next !== undefined &&
        Object.keys(next.columns).some((each) => unquoted(each) === renamedTo(shape)) &&
        next.columns[column] === undefined &&
        !drop.has(unquoted(`${name}.${column}`)),
    );
    if (next === undefined || retired.length === 0) continue;
    isUnchanged = false;
    const columns = new Set(retired.map(([column]) => column));
    const kept = (definitions: Table['indexes']) =>
      Object.entries(definitions).filter(([, each]) => each.columns.some((column) => columns.has(column)));
    const held: Record<string, Column> = { ...next.columns };
    for (const [column, shape] of retired) {
      held[column] = shape;
      const to = Object.keys(held).find((each) => unquoted(each) === renamedTo(shape));
      // A default that is no constant stays on the old column: the trigger could not tell it from a written value.
      if (to !== undefined && held[to] !== undefined && constantDefault(held[to]) === null)
        held[to] = { ...held[to], default: null };
    }
    tables[name] = {
      ...next,
      columns: held,
      constraints: { ...Object.fromEntries(kept(old.constraints)), ...next.constraints },
      indexes: { ...Object.fromEntries(kept(old.indexes)), ...next.indexes },
    };
  }
  return isUnchanged ? target : { ...target, tables };
}
