import { describe, expect, it } from '@jest/globals';
import type { MigrationDescription } from '../migration.js';
import type { AppliedMigration } from './migration-history.js';
import { planMigrations } from './migration-plan.js';

const known = (timestamp: number, fields: Partial<MigrationDescription> = {}): MigrationDescription => ({
  name: `M${timestamp}`,
  timestamp,
  checksum: `sum-${timestamp}`,
  compatible: false,
  ...fields,
});

const applied = (timestamp: number, fields: Partial<AppliedMigration> = {}): AppliedMigration => ({
  ...known(timestamp),
  release: '1.0.0',
  appliedAt: new Date(0),
  durationMs: 1,
  ...fields,
});

const names = (migrations: readonly { name: string }[]) => migrations.map(({ name }) => name);

describe('planMigrations', () => {
  it('has all of them pending on an empty database, oldest first', () => {
    const plan = planMigrations([known(1), known(2)], []);
    expect(names(plan.pending)).toEqual(['M1', 'M2']);
    expect(plan.late).toEqual([]);
  });

  it('has nothing to say where both agree', () => {
    const plan = planMigrations([known(1), known(2)], [applied(1), applied(2)]);
    expect(plan).toEqual({ pending: [], late: [], edited: [], ahead: [], incompatible: [] });
  });

  it('calls late what is pending and older than the newest applied, in whatever order those were applied', () => {
    const plan = planMigrations([known(1), known(2), known(3), known(4)], [applied(3), applied(1)]);
    expect(names(plan.pending)).toEqual(['M2', 'M4']);
    expect(names(plan.late)).toEqual(['M2']);
  });

  it('calls edited what has another checksum than when it was applied', () => {
    const plan = planMigrations([known(1), known(2)], [applied(1, { checksum: 'other' }), applied(2)]);
    expect(names(plan.edited)).toEqual(['M1']);
  });

  it('does not call edited what was applied without a checksum', () => {
    expect(planMigrations([known(1)], [applied(1, { checksum: null })]).edited).toEqual([]);
  });

  it('tells what is ahead and compatible from what is not', () => {
    const plan = planMigrations([known(1)], [applied(1), applied(2, { compatible: true }), applied(3)]);
    expect(names(plan.ahead)).toEqual(['M2']);
    expect(names(plan.incompatible)).toEqual(['M3']);
  });

  it('does not take for compatible what is ahead and has no history', () => {
    const plan = planMigrations([known(1)], [applied(1), applied(2, { checksum: null, compatible: null })]);
    expect(names(plan.incompatible)).toEqual(['M2']);
  });
});
