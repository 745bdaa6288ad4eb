import type { MigrationDescription } from '../migration.js';
import type { AppliedMigration } from './migration-history.js';

/** How a build's migrations and a database's compare. */
export interface MigrationPlan<M extends MigrationDescription = MigrationDescription> {
  /** Of the build, not yet applied; oldest first. */
  readonly pending: readonly M[];
  /** Those of the pending that are older than the newest applied: branches were merged. */
  readonly late: readonly M[];
  /** Applied, and edited since. */
  readonly edited: readonly M[];
  /** Applied by a newer release, whose schema this one can run on as well. */
  readonly ahead: readonly AppliedMigration[];
  /** Applied by a newer release, and not marked compatible. */
  readonly incompatible: readonly AppliedMigration[];
}

export function planMigrations<M extends MigrationDescription>(
  known: readonly M[],
  applied: readonly AppliedMigration[],
): MigrationPlan<M> {
  const appliedByName = new Map(applied.map((migration) => [migration.name, migration]));
  const knownNames = new Set(known.map(({ name }) => name));
  const pending = known.filter(({ name }) => !appliedByName.has(name));
  const unknown = applied.filter(({ name }) => !knownNames.has(name));
  const newest = applied
    .filter(({ name }) => knownNames.has(name))
    .reduce((latest, { timestamp }) => Math.max(latest, timestamp), 0);
  return {
    pending,
    late: pending.filter(({ timestamp }) => timestamp < newest),
    edited: known.filter(({ name, checksum }) => {
      const kept = appliedByName.get(name)?.checksum ?? checksum;
      return kept !== checksum;
    }),
    ahead: unknown.filter(({ compatible }) => compatible === true),
    incompatible: unknown.filter(({ compatible }) => compatible !== true),
  };
}
