import { BadRequestException, UnprocessableEntityException, type ArgumentMetadata } from '@nestjs/common';
import { describe, expect, it } from '@jest/globals';
import * as z from 'zod';
import { SchemaValidationPipe, toProblemErrors } from './schema-validation.pipe.js';

const schema = z.strictObject({
  mood: z.int('must be a whole number'),
  tags: z.array(z.string('must be text')).default([]),
  place: z.strictObject({ name: z.string('must be text') }).optional(),
});

function issuesOf(type: z.ZodType, value: unknown) {
  return type.safeParse(value).error!.issues;
}

describe('toProblemErrors', () => {
  it('joins the path with dots, including array indexes', () => {
    expect(toProblemErrors(issuesOf(schema, { mood: 'x', tags: ['a', 1], place: { name: 2 } }))).toEqual([
      { path: 'mood', message: 'must be a whole number' },
      { path: 'tags.1', message: 'must be text' },
      { path: 'place.name', message: 'must be text' },
    ]);
  });

  it('names each unknown field at any depth', () => {
    expect(toProblemErrors(issuesOf(schema, { mood: 1, a: 1, b: 2, place: { name: 'x', c: 3 } }))).toEqual([
      { path: 'place.c', message: 'is an unknown field' },
      { path: 'a', message: 'is an unknown field' },
      { path: 'b', message: 'is an unknown field' },
    ]);
  });

  it('starts the path with the name of the parameter', () => {
    expect(toProblemErrors(issuesOf(z.uuid('must be a UUID'), 'x'), 'id')).toEqual([
      { path: 'id', message: 'must be a UUID' },
    ]);
  });

  it('has an empty path for the whole value', () => {
    expect(toProblemErrors(issuesOf(z.object({}, 'must be an object'), []))).toEqual([
      { path: '', message: 'must be an object' },
    ]);
  });

  it('reads path segments of Standard Schema', () => {
    expect(
      toProblemErrors([{ message: 'is wrong', path: [{ key: 'entries' }, { key: 7 }, 'mood'] }]),
    ).toEqual([{ path: 'entries.7.mood', message: 'is wrong' }]);
  });

  it('reports a fault once, even if two checks found it', () => {
    const mood = z.object({ mood: z.int('is wrong').max(10, 'is wrong') });
    expect(issuesOf(mood, { mood: 1e21 })).toHaveLength(2);
    expect(toProblemErrors(issuesOf(mood, { mood: 1e21 }))).toEqual([{ path: 'mood', message: 'is wrong' }]);
  });

  it('stops at 100 errors, even if one issue names more', () => {
    const unknown = Object.fromEntries(Array.from({ length: 250 }, (_, index) => [`field${index}`, 1]));
    const errors = toProblemErrors(issuesOf(schema, { mood: 1, ...unknown }));
    expect(errors).toHaveLength(100);
    expect(errors.at(-1)).toEqual({ path: 'field99', message: 'is an unknown field' });
  });
});

describe('SchemaValidationPipe', () => {
  const pipe = new SchemaValidationPipe();
  const transform = (value: unknown, metadata: Partial<ArgumentMetadata>) =>
    pipe.transform(value, { schema, ...metadata } as ArgumentMetadata);

  it('returns the parsed value', async () => {
    expect(await transform({ mood: 7 }, { type: 'body' })).toEqual({ mood: 7, tags: [] });
  });

  it('does not change a value without a schema', async () => {
    const value = { anything: true };
    expect(await pipe.transform(value, { type: 'custom' })).toBe(value);
  });

  it.each([
    ['body', undefined, UnprocessableEntityException, 'The body is not valid', 'mood'],
    ['query', undefined, BadRequestException, 'The query is not valid', 'mood'],
    ['param', 'id', BadRequestException, 'The path is not valid', 'id.mood'],
  ] as const)('refuses a %s that fails', async (type, data, exception, message, path) => {
    const error: unknown = await transform({ mood: 5.5 }, { type, ...(data && { data }) }).catch(
      (thrown: unknown) => thrown,
    );
    expect(error).toBeInstanceOf(exception);
    expect((error as BadRequestException).getResponse()).toEqual({
      message,
      errors: [{ path, message: 'must be a whole number' }],
    });
  });

  it.each([undefined, null, [], 'text', 7])('refuses the body %j', async (body) => {
    await expect(transform(body, { type: 'body' })).rejects.toBeInstanceOf(UnprocessableEntityException);
  });

  it.each(['__proto__', 'constructor', 'prototype'])(
    'refuses a field %s as any that is not known',
    async (name) => {
      const body: unknown = JSON.parse(`{"mood":7,"${name}":{"mood":1}}`);
      const error: unknown = await transform(body, { type: 'body' }).catch((thrown: unknown) => thrown);
      expect((error as UnprocessableEntityException).getResponse()).toMatchObject({
        errors: [{ path: name, message: 'is an unknown field' }],
      });
    },
  );

  it('rethrows an error of the schema itself', async () => {
    const broken = z.unknown().transform(() => {
      throw new RangeError('a bug');
    });
    await expect(transform({}, { type: 'body', schema: broken })).rejects.toBeInstanceOf(RangeError);
  });
});
