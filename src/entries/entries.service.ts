import { createHash } from 'node:crypto';
import { Injectable, NotFoundException, PreconditionFailedException } from '@nestjs/common';
import { CacheService } from '../cache/cache.service.js';
import { newRowId } from '../database/row-id.js';
import type { Statements } from '../database/sql.js';
import { decodeCursor, encodeCursor } from '../http/paging/cursor.js';
import { refuseErasedUser } from '../users/users.service.js';
import { DateFilters } from './date-filters.js';
import type { Entry } from './entry-row.js';
import type { EntrySelection } from './entry-selection.js';
import { EntriesRepository, type VersionCondition } from './entries.repository.js';
import type { EntryCreate, EntryList, EntryListQuery, EntryPatch } from './entries.schemas.js';
import { TransferRepository } from './transfer/transfer.repository.js';

export interface ListOptions {
  readonly trash?: boolean;
  /** Whether the client already has the list with this validator; if so, it is not read. */
  readonly isKnown?: ((validator: string) => boolean) | undefined;
}

export interface ListResult {
  /** Changes whenever the list may change. */
  readonly validator: string;
  /** Undefined if the client already has it. */
  readonly list: EntryList | undefined;
}

/** The rules of the entries API. Entries of other users do not exist for a user. */
@Injectable()
export class EntriesService {
  constructor(
    private readonly entries: EntriesRepository,
    private readonly manyEntries: TransferRepository,
    private readonly cache: CacheService,
    private readonly dates: DateFilters,
  ) {}

  /**
   * @param statements of the surrounding transaction, if any
   * @throws {UnauthorizedException} if the user was erased meanwhile
   */
  create(userId: string, fields: EntryCreate, statements?: Statements): Promise<Entry> {
    return this.entries.insert(newRowId(), userId, fields, statements).catch(refuseErasedUser);
  }

  /** Creates all entries or none. Throws like {@link create}. */
  createAll(userId: string, entries: readonly EntryCreate[], statements?: Statements): Promise<Entry[]> {
    const rows = entries.map((fields) => ({ ...fields, id: newRowId() }));
    return this.manyEntries.insertAll(userId, rows, statements).catch(refuseErasedUser);
  }

  /**
   * @param versions accepted by the client; undefined: any
   * @throws {NotFoundException}
   * @throws {PreconditionFailedException} for another version
   */
  async read(userId: string, id: string, versions?: readonly number[]): Promise<Entry> {
    const entry = (await this.entries.find(id, userId)) ?? notFound();
    if (versions && !versions.includes(entry.version)) otherVersion(entry.version);
    return entry;
  }

  /** @throws {BadRequestException} for a cursor that does not belong to this list */
  async list(
    userId: string,
    query: EntryListQuery,
    { trash = false, isKnown }: ListOptions = {},
  ): Promise<ListResult> {
    const { limit, page, sort, cursor, ...given } = query;
    const { filters, timezone } = await this.dates.resolve(userId, given);
    const validatorOf = (revision: string) => (timezone === undefined ? revision : `${revision}-${timezone}`);
    const selection: EntrySelection = { userId, filters, trash };
    const key = totalKey(selection);
    const boundTo = [userId, sort, trash, filters];
    const position =
      page === undefined
        ? { after: cursor === undefined ? undefined : decodeCursor(cursor, boundTo) }
        : { offset: (page - 1) * limit };
    if (isKnown) {
      const revision = await this.entries.revision(userId);
      const validator = validatorOf(revision);
      if (isKnown(validator)) return { validator, list: undefined };
    }
    const { entries, last, revision } = await this.entries.list(selection, sort, limit, position);
    const total = await this.cache.read(userId, revision, key, () => this.entries.count(selection));
    const nextCursor = last ? encodeCursor(last, boundTo) : null;
    return {
      validator: validatorOf(revision),
      list: { entries, total, limit, ...(page !== undefined && { page }), nextCursor },
    };
  }

  /**
   * @throws {NotFoundException}
   * @throws {PreconditionFailedException} if the entry's version does not satisfy the condition
   */
  async update(userId: string, id: string, patch: EntryPatch, condition: VersionCondition): Promise<Entry> {
    const changed =
      Object.keys(patch).length === 0
        ? await this.matching(userId, id, condition)
        : await this.entries.update(id, userId, patch, condition);
    return changed ?? this.refuse(userId, id);
  }

  /** Moves the entry to the trash. Throws like {@link update}. */
  async remove(userId: string, id: string, condition: VersionCondition): Promise<void> {
    if (!(await this.entries.trash(id, userId, condition))) await this.refuse(userId, id);
  }

  /** @throws {NotFoundException} also for an entry that is not in the trash */
  async deletePermanently(userId: string, id: string): Promise<void> {
    if (!(await this.entries.deletePermanently(id, userId))) {
      throw new NotFoundException('No such entry in the trash');
    }
  }

  /** Throws like {@link update}. */
  async restore(userId: string, id: string, condition: VersionCondition): Promise<Entry> {
    const restored = await this.entries.restore(id, userId, condition);
    return restored ?? otherVersion((await this.entries.version(id, userId)) ?? notFound());
  }

  private async matching(userId: string, id: string, condition: VersionCondition) {
    const entry = await this.entries.find(id, userId);
    return entry && allows(condition, entry.version) ? entry : undefined;
  }

  /** Nothing was changed: either the entry does not exist, or it has another version. */
  private async refuse(userId: string, id: string): Promise<never> {
    const current = (await this.entries.find(id, userId)) ?? notFound();
    return otherVersion(current.version);
  }
}

function totalKey({ filters, trash }: EntrySelection): string {
  const text = JSON.stringify(filters);
  const digest = text === '{}' ? 'all' : createHash('sha256').update(text).digest('base64url').slice(0, 22);
  return `total:${trash}:${digest}`;
}

function allows({ oneOf, noneOf = [] }: VersionCondition, version: number): boolean {
  return (oneOf?.includes(version) ?? true) && !noneOf.includes(version);
}

function otherVersion(version: number): never {
  throw new PreconditionFailedException(
    `The entry has version ${version}, which does not satisfy the precondition`,
  );
}

function notFound(): never {
  throw new NotFoundException('No such entry');
}
