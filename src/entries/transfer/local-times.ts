import { Temporal } from 'temporal-polyfill';

/** A date, with or without a time, and without a zone: `2026-03-01`, `2026-03-01 08:30`, `2026-03-01T08:30:15.5`. */
const LOCAL = /^\s*(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?))?\s*$/;

const TIME_FIELDS = ['occurredAt', 'createdAt', 'updatedAt'] as const;

/**
 * Instants of local times in one time zone. A time that a change of the clocks skips is as much later; of one that occurs
 * twice, the first is meant (as `java.time` and Temporal's `compatible` do). Both are counted.
 * https://docs.oracle.com/en/java/javase/21/docs/api/java.base/java/time/ZonedDateTime.html
 */
export class LocalTimes {
  private skipped = 0;
  private repeated = 0;

  constructor(private readonly timezone: string) {}

  /** Resolves the times of an entry in place that have no zone. Others are left to the schema. */
  resolve<Fields>(fields: Fields): Fields {
    if (typeof fields !== 'object' || fields === null) return fields;
    for (const name of TIME_FIELDS) {
      const value = (fields as Record<string, unknown>)[name];
      if (typeof value !== 'string' || value.length > 40) continue;
      const [, date, time] = LOCAL.exec(value) ?? [];
      if (date !== undefined)
        (fields as Record<string, unknown>)[name] = this.instantOf(`${date}T${time ?? '00:00'}`) ?? value;
    }
    return fields;
  }

  /**
   * @param local `2026-03-01T08:30`
   * @param timezone of this time, if it is not that of the file
   * @returns ISO 8601 in UTC; undefined for a date or time that no calendar or clock has
   */
  instantOf(local: string, timezone = this.timezone): string | undefined {
    let time: Temporal.PlainDateTime;
    try {
      time = Temporal.PlainDateTime.from(local, { overflow: 'reject' });
    } catch {
      return undefined;
    }
    const earlier = time.toZonedDateTime(timezone, { disambiguation: 'earlier' });
    const later = time.toZonedDateTime(timezone, { disambiguation: 'later' });
    if (earlier.epochMilliseconds === later.epochMilliseconds) return isoOf(earlier);
    if (later.toPlainDateTime().equals(time)) {
      this.repeated += 1;
      return isoOf(earlier);
    }
    this.skipped += 1;
    return isoOf(later);
  }

  /** Undefined if every time occurred once. */
  get adjusted(): { readonly skipped: number; readonly repeated: number } | undefined {
    return this.skipped + this.repeated > 0 ? { skipped: this.skipped, repeated: this.repeated } : undefined;
  }
}

function isoOf(time: Temporal.ZonedDateTime): string {
  return new Date(time.epochMilliseconds).toISOString();
}
