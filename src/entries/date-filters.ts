import { Injectable } from '@nestjs/common';
import { Temporal } from 'temporal-polyfill';
import { UsersService } from '../users/users.service.js';
import { EARLIEST } from './entries.schemas.js';

export interface ResolvedDates<Filters> {
  readonly filters: Filters;
  /** That the dates are in; undefined if there were none. */
  readonly timezone: string | undefined;
}

/** Dates in the filters `from` and `to`: each is the instant at which the day begins. */
@Injectable()
export class DateFilters {
  constructor(private readonly users: UsersService) {}

  /**
   * @param timezone of the dates; without it, that of the user
   * @throws {UnauthorizedException} if the user was erased
   */
  async resolve<Filters extends { readonly from?: string | undefined; readonly to?: string | undefined }>(
    userId: string,
    filters: Filters,
    timezone?: string,
  ): Promise<ResolvedDates<Filters>> {
    const { from, to } = filters;
    if (!isDate(from) && !isDate(to)) return { filters, timezone: undefined };
    const zone = timezone ?? (await this.users.get(userId)).timezone;
    const instantOf = (value: string | undefined) => (isDate(value) ? beginningOf(value, zone) : value);
    return { filters: { ...filters, from: instantOf(from), to: instantOf(to) }, timezone: zone };
  }
}

function isDate(value: string | undefined): value is string {
  return value !== undefined && /^\d{4}-\d{2}-\d{2}$/.test(value);
}

/** Not always at 0:00, which a change of the clocks may skip or repeat. @returns ISO 8601 */
function beginningOf(date: string, timezone: string): string {
  const { epochMilliseconds } = Temporal.PlainDate.from(date).toZonedDateTime(timezone);
  return new Date(Math.max(epochMilliseconds, EARLIEST)).toISOString();
}
