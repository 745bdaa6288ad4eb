import { describe, expect, it } from '@jest/globals';
import { LocalTimes } from './local-times.js';

const ONCE = undefined;
const SKIPPED = { skipped: 1, repeated: 0 };
const REPEATED = { skipped: 0, repeated: 1 };

describe('the instant of a local time', () => {
  // Printed by java.time of OpenJDK: `LocalDateTime.parse(local).atZone(ZoneId.of(zone)).toInstant()`.
  it.each([
    ['Europe/Vienna', '2026-03-29T01:59', '2026-03-29T00:59:00.000Z', ONCE],
    ['Europe/Vienna', '2026-03-29T02:00', '2026-03-29T01:00:00.000Z', SKIPPED],
    ['Europe/Vienna', '2026-03-29T02:30', '2026-03-29T01:30:00.000Z', SKIPPED],
    ['Europe/Vienna', '2026-03-29T03:00', '2026-03-29T01:00:00.000Z', ONCE],
    ['Europe/Vienna', '2026-10-25T01:59', '2026-10-24T23:59:00.000Z', ONCE],
    ['Europe/Vienna', '2026-10-25T02:00', '2026-10-25T00:00:00.000Z', REPEATED],
    ['Europe/Vienna', '2026-10-25T02:59', '2026-10-25T00:59:00.000Z', REPEATED],
    ['Europe/Vienna', '2026-10-25T03:00', '2026-10-25T02:00:00.000Z', ONCE],
    ['Europe/Dublin', '2026-10-25T01:30', '2026-10-25T00:30:00.000Z', REPEATED],
    ['America/New_York', '2026-03-08T02:30', '2026-03-08T07:30:00.000Z', SKIPPED],
    ['America/New_York', '2026-11-01T01:30', '2026-11-01T05:30:00.000Z', REPEATED],
    // Half an hour.
    ['Australia/Lord_Howe', '2026-10-04T02:15', '2026-10-03T15:45:00.000Z', SKIPPED],
    ['Australia/Lord_Howe', '2026-10-04T02:30', '2026-10-03T15:30:00.000Z', ONCE],
    ['Australia/Lord_Howe', '2026-04-05T01:15', '2026-04-04T14:15:00.000Z', ONCE],
    ['Australia/Lord_Howe', '2026-04-05T01:45', '2026-04-04T14:45:00.000Z', REPEATED],
    // Two hours.
    ['Antarctica/Troll', '2026-03-29T01:30', '2026-03-29T01:30:00.000Z', SKIPPED],
    ['Antarctica/Troll', '2026-10-25T01:30', '2026-10-24T23:30:00.000Z', REPEATED],
    // At midnight, which does not exist in spring.
    ['Asia/Beirut', '2026-03-29T00:00', '2026-03-28T22:00:00.000Z', SKIPPED],
    ['Asia/Beirut', '2026-10-24T23:30', '2026-10-24T20:30:00.000Z', REPEATED],
    ['America/Sao_Paulo', '2018-11-04T00:00', '2018-11-04T03:00:00.000Z', SKIPPED],
    // A minute after midnight.
    ['America/St_Johns', '2006-10-28T23:30', '2006-10-29T02:00:00.000Z', REPEATED],
    ['America/St_Johns', '2006-04-02T00:30', '2006-04-02T04:00:00.000Z', SKIPPED],
    // For Ramadan, back in spring and forward after it.
    ['Africa/Casablanca', '2025-02-23T02:30', '2025-02-23T01:30:00.000Z', REPEATED],
    ['Africa/Casablanca', '2025-04-06T02:30', '2025-04-06T02:30:00.000Z', SKIPPED],
    // A whole day.
    ['Pacific/Apia', '2011-12-30T12:00', '2011-12-30T22:00:00.000Z', SKIPPED],
    // Without changes of the clocks.
    ['Asia/Kolkata', '2026-03-29T02:30', '2026-03-28T21:00:00.000Z', ONCE],
    ['Asia/Kathmandu', '2026-06-01T12:00', '2026-06-01T06:15:00.000Z', ONCE],
    ['UTC', '2026-03-29T02:30', '2026-03-29T02:30:00.000Z', ONCE],
  ])('in %s at %s is %s, as java.time has it', (zone, local, instant, adjusted) => {
    const times = new LocalTimes(zone);
    expect(times.instantOf(local)).toBe(instant);
    expect(times.adjusted).toEqual(adjusted);
  });

  it.each(['2026-02-29T08:00', '2026-13-01T08:00', '2026-03-01T24:00', '2026-03-01T08:60', 'soon', ''])(
    'of "%s" does not exist',
    (local) => {
      const times = new LocalTimes('Europe/Vienna');
      expect(times.instantOf(local)).toBeUndefined();
      expect(times.adjusted).toBeUndefined();
    },
  );

  it('can be asked for in another time zone, and adjustments are added up', () => {
    const times = new LocalTimes('Europe/Vienna');
    expect(times.instantOf('2026-03-29T02:30', 'Asia/Kolkata')).toBe('2026-03-28T21:00:00.000Z');
    times.instantOf('2026-03-29T02:30');
    times.instantOf('2026-03-29T02:45');
    times.instantOf('2026-11-01T01:30', 'America/New_York');
    expect(times.adjusted).toEqual({ skipped: 2, repeated: 1 });
  });
});

describe('the times of an entry', () => {
  const resolved = (occurredAt: unknown) => new LocalTimes('Europe/Vienna').resolve({ occurredAt });

  it.each([
    ['2026-03-01', '2026-02-28T23:00:00.000Z'],
    ['2026-03-01 08:30', '2026-03-01T07:30:00.000Z'],
    ['2026-03-01T08:30', '2026-03-01T07:30:00.000Z'],
    ['2026-03-01T08:30:15', '2026-03-01T07:30:15.000Z'],
    [' 2026-03-01T08:30:15.25 ', '2026-03-01T07:30:15.250Z'],
  ])('that have no zone are resolved: %j', (given, instant) => {
    expect(resolved(given)).toEqual({ occurredAt: instant });
  });

  it.each([
    '2026-03-01T08:30:00Z',
    '2026-03-01T08:30:00+02:00',
    '2026-02-30',
    '1.3.2026',
    ' '.repeat(1000),
    1,
    null,
  ])('are left as they are otherwise: %j', (given) => {
    expect(resolved(given)).toEqual({ occurredAt: given });
  });

  it('may be three', () => {
    const day = '2026-07-01';
    const midnight = '2026-06-30T22:00:00.000Z';
    expect(
      new LocalTimes('Europe/Vienna').resolve({ occurredAt: day, createdAt: day, updatedAt: day, text: day }),
    ).toEqual({ occurredAt: midnight, createdAt: midnight, updatedAt: midnight, text: day });
  });

  it.each([null, undefined, 'a', 7, [['2026-03-01']]])('need an object: %j is left as it is', (fields) => {
    expect(new LocalTimes('UTC').resolve(fields)).toEqual(fields);
  });
});
