import { describe, expect, it } from '@jest/globals';
import type { MigrationDescription } from '../migration.js';
import type { AppliedMigration } from './migration-history.js';
import { planMigrations } from './migration-plan.js';

const known = (timestamp: number, fields: Partial<MigrationDescription> = {}): MigrationDescription => ({
  name: `M${timestamp}`,
  timestamp,
  checksum: `sum-${timestamp}`,
  compatible: false,
  lossy: [],
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
  it('lists all migrations as pending for an empty database, oldest first', () => {
    const plan = planMigrations([known(1), known(2)], []);
    expect(names(plan.pending)).toEqual(['M1', 'M2']);
    expect(plan.late).toEqual([]);
  });

  it('is empty if build and database agree', () => {
    const plan = planMigrations([known(1), known(2)], [applied(1), applied(2)]);
    expect(plan).toEqual({ pending: [], late: [], edited: [], ahead: [], incompatible: [] });
  });

  it('lists pending migrations as late if they are older than the newest applied one', () => {
    const plan = planMigrations([known(1), known(2), known(3), known(4)], [applied(3), applied(1)]);
    expect(names(plan.pending)).toEqual(['M2', 'M4']);
    expect(names(plan.late)).toEqual(['M2']);
  });

  it('lists a migration as edited if its checksum has changed', () => {
    const plan = planMigrations([known(1), known(2)], [applied(1, { checksum: 'other' }), applied(2)]);
    expect(names(plan.edited)).toEqual(['M1']);
  });

  it('does not list a migration without a recorded checksum as edited', () => {
    expect(planMigrations([known(1)], [applied(1, { checksum: null })]).edited).toEqual([]);
  });

  it('distinguishes newer migrations that are compatible from others', () => {
    const plan = planMigrations([known(1)], [applied(1), applied(2, { compatible: true }), applied(3)]);
    expect(names(plan.ahead)).toEqual(['M2']);
    expect(names(plan.incompatible)).toEqual(['M3']);
  });

  it('treats a newer migration without history as incompatible', () => {
    const plan = planMigrations([known(1)], [applied(1), applied(2, { checksum: null, compatible: null })]);
    expect(names(plan.incompatible)).toEqual(['M2']);
  });
});
