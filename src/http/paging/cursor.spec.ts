import { BadRequestException } from '@nestjs/common';
import { describe, expect, it } from '@jest/globals';
import { decodeCursor, encodeCursor } from './cursor.js';

const POSITION = { key: '2026-03-01T08:30:00.000Z', id: '0195503c-7d7e-7b6c-9a4e-0f2f6d1c2b3a' };
const BOUND_TO = ['user-1', '-occurredAt', false, { category: 'health', tag: ['a', 'b'] }];

function pack(payload: unknown): string {
  return Buffer.from(JSON.stringify(payload)).toString('base64url');
}

function unpack(cursor: string): [string, string, string] {
  return JSON.parse(Buffer.from(cursor, 'base64url').toString());
}

function refusalOf(cursor: string, boundTo: unknown = BOUND_TO): string {
  try {
    decodeCursor(cursor, boundTo);
  } catch (error) {
    if (!(error instanceof BadRequestException)) throw error;
    const { errors, message } = error.getResponse() as {
      errors: { path: string; message: string }[];
      message: string;
    };
    expect(errors).toHaveLength(1);
    expect(errors[0]!.path).toBe('cursor');
    expect(message).toBe(`The cursor ${errors[0]!.message}`);
    return errors[0]!.message;
  }
  throw new Error('the cursor was accepted');
}

describe('a cursor', () => {
  const cursor = encodeCursor(POSITION, BOUND_TO);

  it('decodes to the position that it was made of', () => {
    expect(decodeCursor(cursor, BOUND_TO)).toEqual(POSITION);
  });

  it('needs no escaping in a URL', () => {
    expect(cursor).toMatch(/^[\w-]+$/);
  });

  it('is short', () => {
    expect(cursor.length).toBeLessThan(120);
  });

  it.each([
    ['another user', ['user-2', ...BOUND_TO.slice(1)]],
    ['another sort', ['user-1', 'occurredAt', false, BOUND_TO[3]]],
    ['the trash', ['user-1', '-occurredAt', true, BOUND_TO[3]]],
    ['other filters', ['user-1', '-occurredAt', false, { category: 'work', tag: ['a', 'b'] }]],
    ['no filters', ['user-1', '-occurredAt', false, {}]],
  ])('is refused for %s', (_list, boundTo) => {
    expect(refusalOf(cursor, boundTo)).toBe('belongs to other filters or another sort order');
  });

  it('treats an omitted filter like an undefined one', () => {
    const boundTo = ['user-1', '-occurredAt', false, { ...(BOUND_TO[3] as object), mood: undefined }];
    expect(decodeCursor(cursor, boundTo)).toEqual(POSITION);
  });

  const [key, id, digest] = unpack(cursor);

  it.each<[string, string]>([
    ['nothing', ''],
    ['no base64', '!!!!'],
    ['no JSON', Buffer.from('hello').toString('base64url')],
    ['bytes that are no text', Buffer.from([0xff, 0xfe, 0x00]).toString('base64url')],
    ['half of a cursor', cursor.slice(0, cursor.length / 2)],
    ['null', pack(null)],
    ['an object', pack({ key, id, digest })],
    ['too little', pack([key, id])],
    ['too much', pack([key, id, digest, 1])],
    ['a number for the digest', pack([key, id, 1])],
    ['an id that is no UUID', pack([key, "1' OR true --", digest])],
    ['a number for an id', pack([key, 1, digest])],
    ['a date for an instant', pack(['2026-03-01', id, digest])],
    ['an instant that is not there', pack(['2026-02-30T08:30:00.000Z', id, digest])],
    ['microseconds', pack(['2026-03-01T08:30:00.000000Z', id, digest])],
    ['an instant with an offset', pack(['2026-03-01T08:30:00.000+02:00', id, digest])],
    ['the year 0, which PostgreSQL has not', pack(['0000-03-01T08:30:00.000Z', id, digest])],
    ['infinity, which PostgreSQL has', pack(['infinity', id, digest])],
  ])('of %s is refused', (_what, forged) => {
    expect(refusalOf(forged)).toBe('is not valid');
  });

  it('with another position is harmless, because it is one that the user could have got', () => {
    const moved = pack(['2020-01-01T00:00:00.000Z', id, digest]);
    expect(decodeCursor(moved, BOUND_TO)).toEqual({ key: '2020-01-01T00:00:00.000Z', id });
  });

  it('never decodes to a position that PostgreSQL refuses, whichever byte is changed', () => {
    for (let at = 0; at < cursor.length; at++) {
      for (const letter of ['A', 'z', '0', '_']) {
        const forged = cursor.slice(0, at) + letter + cursor.slice(at + 1);
        let position;
        try {
          position = decodeCursor(forged, BOUND_TO);
        } catch (error) {
          expect(error).toBeInstanceOf(BadRequestException);
          continue;
        }
        expect(new Date(position.key).toISOString()).toBe(position.key);
        expect(position.id).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i);
      }
    }
  });
});
