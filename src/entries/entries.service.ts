import { createHash } from 'node:crypto';
import { Injectable, NotFoundException, PreconditionFailedException } from '@nestjs/common';
import { v7 as uuidv7 } from 'uuid';
import { ReadThroughCache } from '../cache/read-through-cache.js';
import { decodeCursor, encodeCursor, openCursor, sealCursor } from '../http/cursor.js';
import { etagOf, holds, type Precondition } from '../http/etag.js';
import { Idempotency, type IdempotentAnswer } from './idempotency.js';
import { refuseErasedUser } from './erased-user.js';
import { EntrySearchQueries, partsOf, SearchPlaceSchema } from './entry-search.queries.js';
import type { EntrySelection } from './entry-selection.js';
import { EntryQueries, isKept, type EntryDocument } from './entry.queries.js';
import { filtersOf, type EntryCreate, type EntryListQuery, type EntryPatch } from './entry.schemas.js';

/** What the API promises of entries. A row of another user is no row. */
@Injectable()
export class EntriesService {
  constructor(
    private readonly entries: EntryQueries,
    private readonly searches: EntrySearchQueries,
    private readonly idempotency: Idempotency,
    private readonly cache: ReadThroughCache,
  ) {}

  /**
   * @param key the header `Idempotency-Key`: the same request with it is answered once, and then as before
   * @throws {UnauthorizedException} where the user was erased while the request was under way
   * @throws what {@link Idempotency.run} does
   */
  async create(userId: string, fields: EntryCreate, key?: string): Promise<IdempotentAnswer> {
    const request = { userId, route: 'POST /entries', key, body: fields };
    const answer = await this.idempotency
      .run(request, async (statements) => {
        const id = uuidv7();
        const { version, json } = await this.entries.insert(id, userId, fields, statements);
        return { status: 201, headers: { etag: etagOf(version), location: `/entries/${id}` }, body: json };
      })
      .catch(refuseErasedUser);
    // Also after a replay: whoever wrote it first may have died before it came to this.
    await this.cache.invalidate(userId);
    return answer;
  }

  /**
   * @param versions that the client wants to read (`If-Match`); undefined: whichever there is
   * @throws {NotFoundException}
   * @throws {PreconditionFailedException} when there is another version
   */
  async read(userId: string, id: string, versions?: readonly number[]): Promise<EntryDocument> {
    const entry =
      (await this.cache.read(userId, `entry:${id}`, () => this.entries.find(id, userId))) ?? notFound();
    if (versions && !versions.includes(entry.version)) otherVersion(entry.version);
    return entry;
  }

  /** @returns the answer's JSON: `EntryListSchema` */
  async list(userId: string, query: EntryListQuery, trash = false): Promise<string> {
    const { limit, page } = query;
    const selection: EntrySelection = { userId, filters: filtersOf(query), trash };
    // A total that is kept comes with the page: nothing is cached of it that could be out of date.
    const others = isKept(selection) ? undefined : this.total(selection);
    // Where the page fails, nobody waits for the total any more.
    others?.catch(() => {});
    const { json, nextCursor, total: kept } = await this.page(selection, query);
    const total = await (others ?? kept ?? this.entries.count(selection));
    const rest = JSON.stringify({ total, limit, ...(page !== undefined && { page }), nextCursor });
    return `{"entries":${json},${rest.slice(1)}`;
  }

  /**
   * Changes what the patch names.
   *
   * @throws {NotFoundException}
   * @throws {PreconditionFailedException} when the entry is at a version that the precondition rules out
   */
  async update(
    userId: string,
    id: string,
    patch: EntryPatch,
    precondition: Precondition,
  ): Promise<EntryDocument> {
    const isEmpty = Object.keys(patch).length === 0;
    const changed = isEmpty
      ? await this.matching(userId, id, precondition)
      : await this.entries.update(id, userId, patch, precondition);
    if (!changed) return this.refuse(userId, id);
    if (!isEmpty) await this.cache.invalidate(userId);
    return changed;
  }

  /** Into the trash. Throws as {@link update} does. */
  async remove(userId: string, id: string, precondition: Precondition): Promise<void> {
    if (!(await this.entries.trash(id, userId, precondition))) return this.refuse(userId, id);
    await this.cache.invalidate(userId);
  }

  /** Out of the trash and for good. @throws {NotFoundException} also for an entry that is not in the trash */
  async deleteForGood(userId: string, id: string): Promise<void> {
    if (!(await this.entries.deleteForGood(id, userId))) {
      throw new NotFoundException('There is no such entry in the trash');
    }
    await this.cache.invalidate(userId);
  }

  /** Out of the trash. Throws as {@link update} does. */
  async restore(userId: string, id: string, precondition: Precondition): Promise<EntryDocument> {
    const restored = await this.entries.restore(id, userId, precondition);
    if (!restored) return otherVersion((await this.entries.version(id, userId)) ?? notFound());
    await this.cache.invalidate(userId);
    return restored;
  }

  private async page(
    selection: EntrySelection,
    { q, sort, limit, page, cursor }: EntryListQuery,
  ): Promise<{ json: string; nextCursor: string | null; total?: number | undefined }> {
    const order = sort ?? (q === undefined ? '-occurredAt' : 'best');
    const boundTo = [selection.userId, order, selection.trash, selection.filters];
    const offset = page === undefined ? undefined : (page - 1) * limit;
    if (order === 'best') {
      const after = cursor === undefined ? undefined : openCursor(cursor, SearchPlaceSchema, boundTo);
      const { json, last } = await this.searches.search(
        selection,
        limit,
        offset === undefined ? { after } : { offset },
      );
      return { json, nextCursor: last ? sealCursor(partsOf(last), boundTo) : null };
    }
    const after = cursor === undefined ? undefined : decodeCursor(cursor, boundTo);
    const { json, last, total } = await this.entries.list(
      selection,
      order,
      limit,
      offset === undefined ? { after } : { offset },
    );
    return { json, total, nextCursor: last ? encodeCursor(last, boundTo) : null };
  }

  private total(selection: EntrySelection): Promise<number> {
    const { userId, filters, trash } = selection;
    const text = JSON.stringify(filters);
    const digest = text === '{}' ? 'all' : createHash('sha256').update(text).digest('base64url').slice(0, 22);
    return this.cache.read(userId, `total:${trash}:${digest}`, () => this.entries.count(selection));
  }

  private async matching(userId: string, id: string, precondition: Precondition) {
    const entry = await this.entries.find(id, userId);
    return entry && holds(precondition, entry.version) ? entry : undefined;
  }

  /** Nothing was changed: is there no such entry, or another version of it? */
  private async refuse(userId: string, id: string): Promise<never> {
    const current = (await this.entries.find(id, userId)) ?? notFound();
    return otherVersion(current.version);
  }
}

function otherVersion(version: number): never {
  throw new PreconditionFailedException(
    `The entry is at version ${version}, which If-Match or If-None-Match rules out`,
  );
}

function notFound(): never {
  throw new NotFoundException('There is no such entry');
}
