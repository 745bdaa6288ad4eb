import { createHash } from 'node:crypto';
import { BadRequestException, Injectable } from '@nestjs/common';
import { ReadThroughCache } from '../cache/read-through-cache.js';
import { userIsNoMore } from '../users/users.service.js';
import { EntryStatsQueries, MOST_BUCKETS } from './entry-stats.queries.js';
import type { EntryStatsQuery } from './entry.schemas.js';

/** What PostgreSQL says of a time zone that Node knows and it does not. */
const INVALID_PARAMETER_VALUE = '22023';

/** Midnight is at one of these everywhere, and the current streak depends on which day it is. */
const QUARTER_HOUR_MS = 900_000;

@Injectable()
export class EntryStatsService {
  constructor(
    private readonly stats: EntryStatsQueries,
    private readonly cache: ReadThroughCache,
  ) {}

  /**
   * @returns the answer's JSON: `EntryStatsSchema`
   * @throws {BadRequestException} for too many buckets, or a time zone that PostgreSQL does not know
   * @throws {UnauthorizedException} where the user is no more
   */
  async read(userId: string, { from, to, bucket, timezone }: EntryStatsQuery): Promise<string> {
    const asked = JSON.stringify([from, to, bucket, timezone, Math.floor(Date.now() / QUARTER_HOUR_MS)]);
    const digest = createHash('sha256').update(asked).digest('base64url').slice(0, 22);
    const read = await this.cache.read(userId, `stats:${digest}`, () =>
      this.stats.read(userId, { from, to, bucket, timezone }).catch((error: unknown) => {
        if ((error as { code?: string }).code !== INVALID_PARAMETER_VALUE) throw error;
        throw refused('timezone', 'is not known to the database');
      }),
    );
    if (!read) throw userIsNoMore();
    if (read.buckets > MOST_BUCKETS) {
      const message = `gives ${read.buckets} buckets, and ${MOST_BUCKETS} are the most: take a longer bucket, or from and to`;
      throw refused('bucket', message);
    }
    return read.json;
  }
}

function refused(path: string, message: string): BadRequestException {
  return new BadRequestException({ message: `The ${path} ${message}`, errors: [{ path, message }] });
}
