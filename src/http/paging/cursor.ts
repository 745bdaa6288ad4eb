import { hash } from 'node:crypto';
import { BadRequestException } from '@nestjs/common';
import * as z from 'zod';

/** Sort key and id of the last row of a page. */
export interface CursorPosition {
  /** ISO 8601, UTC, milliseconds. */
  readonly key: string;
  readonly id: string;
}

/** PostgreSQL has no year 0. */
const instant = z.iso.datetime({ precision: 3 }).refine((text) => !text.startsWith('0000'));

const PositionSchema = z.tuple([instant, z.uuid()]);

export function encodeCursor({ key, id }: CursorPosition, boundTo: unknown): string {
  return sealCursor([key, id], boundTo);
}

/** @throws {BadRequestException} for a cursor that was not made here, or for another list */
export function decodeCursor(cursor: string, boundTo: unknown): CursorPosition {
  const [key, id] = openCursor(cursor, PositionSchema, boundTo);
  return { key, id };
}

/**
 * Encodes a position in a list. A cursor grants no access, because every WHERE clause names the owner, so it is not
 * signed. A digest binds it to filters and sort order.
 */
export function sealCursor(parts: readonly unknown[], boundTo: unknown): string {
  return Buffer.from(JSON.stringify([...parts, digest(boundTo)])).toString('base64url');
}

/** @throws {BadRequestException} for a cursor that was not made here, or for another list */
export function openCursor<T>(cursor: string, schema: z.ZodType<T>, boundTo: unknown): T {
  const content = parse(cursor);
  if (!Array.isArray(content)) throw refused('is not valid');
  const parsed = schema.safeParse(content.slice(0, -1));
  if (!parsed.success || typeof content.at(-1) !== 'string') throw refused('is not valid');
  if (content.at(-1) !== digest(boundTo)) throw refused('belongs to other filters or another sort order');
  return parsed.data;
}

function refused(message: string): BadRequestException {
  return new BadRequestException({ message: `The cursor ${message}`, errors: [{ path: 'cursor', message }] });
}

function parse(cursor: string): unknown {
  try {
    return JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'));
  } catch {
    return undefined;
  }
}

function digest(value: unknown): string {
  return hash('sha256', JSON.stringify(value), 'base64url').slice(0, 16);
}
