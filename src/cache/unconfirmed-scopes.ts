import { randomUUID } from 'node:crypto';
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { Sql } from '../database/sql.js';

/**
 * How long a look at the table is taken for the truth, ms. It is what a write waits for that Redis did not take, and at
 * most 83 looks a second under load; at rest there is none.
 */
const TRUST_MS = 12;

/** Timers may be early by a millisecond, and clocks of two machines do not run alike to the last digit. */
const MARGIN_MS = 3;

/** What {@link UnconfirmedScopes.add} waits for beyond its statement, ms. */
export const MARK_WAIT_MS = TRUST_MS + MARGIN_MS;

/** With more than these, no scope is read from the cache until they are fewer. */
const MARKS_AT_MOST = 500;

export interface Mark {
  readonly scope: string;
  readonly mark: string;
}

interface Look {
  readonly startedAt: number;
  readonly marks: readonly Mark[];
  readonly scopes: ReadonlySet<string>;
}

/**
 * What replicas know together of invalidations that Redis did not take, in PostgreSQL: the one place that both he who
 * wrote and he who reads are sure to reach, as neither could write or read without.
 *
 * Nobody reads from the cache on a look that is older than {@link TRUST_MS}, and {@link add} returns only when every
 * older look has expired. So who reads after it sees the mark.
 */
@Injectable()
export class UnconfirmedScopes {
  private last: Look | undefined;
  private looking: { readonly startedAt: number; readonly look: Promise<Look> } | undefined;

  constructor(private readonly sql: Sql) {}

  /** Returns when no replica reads the scope from the cache any more. */
  async add(scope: string): Promise<void> {
    await this.sql.query(
      'unconfirmed-scope',
      `INSERT INTO unconfirmed_scopes (scope, mark) VALUES ($1, $2)
       ON CONFLICT (scope) DO UPDATE SET mark = excluded.mark`,
      [scope, randomUUID()],
    );
    await sleep(MARK_WAIT_MS);
  }

  /**
   * The marks, and whether the scope has one. To be asked before the cache is, not beside it: a mark may be removed as
   * soon as the cache has forgotten what it stands for.
   */
  async look(scope: string): Promise<{ readonly has: boolean; readonly marks: readonly Mark[] }> {
    const oldest = performance.now() - TRUST_MS;
    let look = this.last;
    if (!look || look.startedAt < oldest) {
      if (!this.looking || this.looking.startedAt < oldest) this.looking = this.begin();
      look = await this.looking.look;
    }
    return { has: look.marks.length > MARKS_AT_MOST || look.scopes.has(scope), marks: look.marks };
  }

  /** To be called when Redis has taken a new revision of the mark's scope; without effect where it was marked anew. */
  async remove({ scope, mark }: Mark): Promise<void> {
    await this.sql.query(
      'unconfirmed-scope-confirmed',
      'DELETE FROM unconfirmed_scopes WHERE scope = $1 AND mark = $2',
      [scope, mark],
    );
  }

  private begin() {
    const startedAt = performance.now();
    const look = this.sql
      .query<{ scope: string; mark: string }>(
        'unconfirmed-scopes',
        `SELECT scope, mark FROM unconfirmed_scopes LIMIT ${MARKS_AT_MOST + 1}`,
        [],
      )
      .then(({ rows }) => {
        const seen = { startedAt, marks: rows, scopes: new Set(rows.map((row) => row.scope)) };
        if (!this.last || this.last.startedAt < startedAt) this.last = seen;
        return seen;
      });
    return { startedAt, look };
  }
}
