import { createHash } from 'node:crypto';
import {
  Injectable,
  NotFoundException,
  PreconditionFailedException,
  UnauthorizedException,
} from '@nestjs/common';
import { v7 as uuidv7 } from 'uuid';
import { ReadThroughCache } from '../cache/read-through-cache.js';
import { decodeCursor, encodeCursor } from '../http/cursor.js';
import { EntryQueries, type EntryDocument, type EntrySelection } from './entry.queries.js';
import { filtersOf, type EntryCreate, type EntryListQuery, type EntryPatch } from './entry.schemas.js';

const FOREIGN_KEY_VIOLATION = '23503';

/** What the API promises of entries. A row of another user is no row. */
@Injectable()
export class EntriesService {
  constructor(
    private readonly entries: EntryQueries,
    private readonly cache: ReadThroughCache,
  ) {}

  /** @throws {UnauthorizedException} where the user was erased while the request was under way */
  async create(userId: string, fields: EntryCreate): Promise<EntryDocument & { readonly id: string }> {
    const id = uuidv7();
    let created: EntryDocument;
    try {
      created = await this.entries.insert(id, userId, fields);
    } catch (error) {
      if ((error as { code?: string }).code !== FOREIGN_KEY_VIOLATION) throw error;
      throw new UnauthorizedException('The user of this token is no more');
    }
    await this.cache.invalidate(userId);
    return { ...created, id };
  }

  /** @throws {NotFoundException} */
  async read(userId: string, id: string): Promise<EntryDocument> {
    const entry = await this.cache.read(userId, `entry:${id}`, () => this.entries.find(id, userId));
    return entry ?? notFound();
  }

  /** @returns the answer's JSON: `EntryListSchema` */
  async list(userId: string, query: EntryListQuery, trash = false): Promise<string> {
    const { limit, page, cursor, sort } = query;
    const selection: EntrySelection = { userId, filters: filtersOf(query), trash };
    const boundTo = [userId, sort, trash, selection.filters];
    const position =
      page === undefined
        ? { after: cursor === undefined ? undefined : decodeCursor(cursor, boundTo) }
        : { offset: (page - 1) * limit };
    const [{ json, last }, total] = await Promise.all([
      this.entries.list(selection, sort, limit, position),
      this.total(selection),
    ]);
    const nextCursor = last ? encodeCursor(last, boundTo) : null;
    const rest = JSON.stringify({ total, limit, ...(page !== undefined && { page }), nextCursor });
    return `{"entries":${json},${rest.slice(1)}`;
  }

  /**
   * Changes what the patch names.
   *
   * @param versions that the client has seen (`If-Match`); undefined: whichever there is
   * @throws {NotFoundException}
   * @throws {PreconditionFailedException} when the version moved on
   */
  async update(
    userId: string,
    id: string,
    patch: EntryPatch,
    versions?: readonly number[],
  ): Promise<EntryDocument> {
    const isEmpty = Object.keys(patch).length === 0;
    const changed = isEmpty
      ? await this.matching(userId, id, versions)
      : await this.entries.update(id, userId, patch, versions);
    if (!changed) return this.refuse(userId, id);
    if (!isEmpty) await this.cache.invalidate(userId);
    return changed;
  }

  /** Into the trash. Throws as {@link update} does. */
  async remove(userId: string, id: string, versions?: readonly number[]): Promise<void> {
    if (!(await this.entries.trash(id, userId, versions))) return this.refuse(userId, id);
    await this.cache.invalidate(userId);
  }

  /** Out of the trash and for good. @throws {NotFoundException} also for an entry that is not in the trash */
  async deleteForGood(userId: string, id: string): Promise<void> {
    if (!(await this.entries.deleteForGood(id, userId))) {
      throw new NotFoundException('There is no such entry in the trash');
    }
    await this.cache.invalidate(userId);
  }

  /** Out of the trash. @throws {NotFoundException} */
  async restore(userId: string, id: string): Promise<EntryDocument> {
    const restored = (await this.entries.restore(id, userId)) ?? notFound();
    await this.cache.invalidate(userId);
    return restored;
  }

  private total(selection: EntrySelection): Promise<number> {
    const { userId, filters, trash } = selection;
    const text = JSON.stringify(filters);
    const digest = text === '{}' ? 'all' : createHash('sha256').update(text).digest('base64url').slice(0, 22);
    return this.cache.read(userId, `total:${trash}:${digest}`, () => this.entries.count(selection));
  }

  private async matching(userId: string, id: string, versions?: readonly number[]) {
    const entry = await this.entries.find(id, userId);
    return entry && (versions?.includes(entry.version) ?? true) ? entry : undefined;
  }

  /** Nothing was changed: is there no such entry, or another version of it? */
  private async refuse(userId: string, id: string): Promise<never> {
    const current = (await this.entries.find(id, userId)) ?? notFound();
    throw new PreconditionFailedException(
      `The entry has changed meanwhile: it is at version ${current.version}`,
    );
  }
}

function notFound(): never {
  throw new NotFoundException('There is no such entry');
}
