import type { MigrationDescription } from '../migration.js';
import type { AppliedMigration } from './migration-history.js';

/** The migrations of the build compared with those of the database. */
export interface MigrationPlan<M extends MigrationDescription = MigrationDescription> {
  /** In the build but not applied; oldest first. */
  readonly pending: readonly M[];
  /** Pending, but older than the newest applied migration, as after a merge of branches. */
  readonly late: readonly M[];
  readonly edited: readonly M[];
  /** Applied by a newer release and marked compatible with this one. */
  readonly ahead: readonly AppliedMigration[];
  readonly incompatible: readonly AppliedMigration[];
}

export function planMigrations<M extends MigrationDescription>(
  available: readonly M[],
  applied: readonly AppliedMigration[],
): MigrationPlan<M> {
  const appliedByName = new Map(applied.map((migration) => [migration.name, migration]));
  const availableNames = new Set(available.map(({ name }) => name));
  const pending = available.filter(({ name }) => !appliedByName.has(name));
  const unknown = applied.filter(({ name }) => !availableNames.has(name));
  const newest = applied
    .filter(({ name }) => availableNames.has(name))
    .reduce((latest, { timestamp }) => Math.max(latest, timestamp), 0);
  return {
    pending,
    late: pending.filter(({ timestamp }) => timestamp < newest),
    edited: available.filter(({ name, checksum }) => {
      const kept = appliedByName.get(name)?.checksum ?? checksum;
      return kept !== checksum;
    }),
    ahead: unknown.filter(({ compatible }) => compatible === true),
    incompatible: unknown.filter(({ compatible }) => compatible !== true),
  };
}
