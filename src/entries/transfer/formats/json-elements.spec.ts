import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { chunksOf } from '../../../../test/harness/streaming/chunks.js';
import { jsonElements, type JsonElement } from './json-elements.js';

const MOST_BYTES = 50_000;

async function read(json: Buffer | string, { sizes = [1000], arrays = ['entries'] } = {}) {
  const elements: JsonElement[] = [];
  try {
    for await (const some of jsonElements(chunksOf(json, ...sizes), arrays, MOST_BYTES))
      elements.push(...some);
  } catch (error) {
    return { elements, error: (error as Error).message };
  }
  return { elements };
}

const values = (array: string, ...given: unknown[]) => given.map((value) => ({ array, value }));

const sizes = fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 1, maxLength: 5 });
/** As JSON has them: without -0, and without a lone surrogate, which UTF-8 cannot have. */
const json = fc
  .jsonValue({ stringUnit: 'binary', maxDepth: 5 })
  .map((value): unknown => JSON.parse(JSON.stringify(value)));

describe('the elements of an array', () => {
  it('are those that JSON.parse finds, whatever the sizes of the chunks', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(json, { maxLength: 20 }),
        fc.dictionary(
          fc.string({ unit: 'binary' }).filter((key) => key !== 'entries'),
          json,
          { maxKeys: 3 },
        ),
        fc.constantFrom(undefined, 2, '\r\n\t'),
        sizes,
        async (entries, others, space, given) => {
          const file = JSON.stringify({ ...others, entries, after: others }, null, space);
          expect(await read(file, { sizes: given })).toEqual({
            elements: values('entries', ...(JSON.parse(file) as { entries: unknown[] }).entries),
          });
        },
      ),
    );
  });

  it('may be of several arrays, of which only those at the top count', async () => {
    const file = '{"a":[1,[2]],"c":{"a":[8]},"b":[{"a":[9]}],"d":[7]}';
    expect(await read(file, { arrays: ['a', 'b'] })).toEqual({
      elements: [...values('a', 1, [2]), ...values('b', { a: [9] })],
    });
  });

  it('may have names that objects have', async () => {
    const file = '{"__proto__":[1],"entries":[{"__proto__":{"text":"x"},"constructor":2,"toString":3}]}';
    const { elements } = await read(file);
    expect(JSON.stringify(elements)).toBe(
      JSON.stringify(values('entries', ...(JSON.parse(file) as { entries: unknown[] }).entries)),
    );
    expect(({} as { text?: string }).text).toBeUndefined();
  });

  it('may follow a byte-order mark, and be followed by white space', async () => {
    expect(await read('\ufeff {"entries": [1]} \r\n', { sizes: [1] })).toEqual({
      elements: values('entries', 1),
    });
  });
});

describe('a file', () => {
  it('that is cut off has elements, and then an error, at every byte', async () => {
    const file = Buffer.from(
      '{"metadata":{"v":1},"entries":[{"text":"Größe \\u00e4 🙂"},[true,null,1.5e3]]}',
    );
    for (let length = 0; length < file.length; length += 1) {
      const { elements, error } = await read(file.subarray(0, length));
      expect(error).toBe(`The file ends early, after ${elements.length} entries`);
    }
  });

  it.each([
    ['text', 'hello'],
    ['two values', '{"entries":[]}{}'],
    ['a string with a line break', '{"entries":["a\nb"]}'],
    ['a comma too many', '{"entries":[1,]}'],
    ['a bracket of another kind', '{"entries":[1}'],
    ['a number that is none', '{"entries":[1.2.3]}'],
    ['an escape that is none', '{"entries":["\\x"]}'],
    ['bytes that are no UTF-8', Buffer.from('{"entries":["a\xff\xfe"]}', 'latin1')],
  ])('that has %s is not JSON', async (_what, file) => {
    expect((await read(file)).error).toMatch(/^The file is not valid JSON, after \d entries$/);
  });

  it.each(['[{"entries":[1]}]', '"entries"', '1 '])('may be JSON, but no object: %s', async (file) => {
    expect((await read(file)).error).toBe('The file is not a JSON object, after 0 entries');
  });

  it.each(['[', '{"a":'])('may nest %s 64 times, and no deeper', async (open) => {
    const close = open === '[' ? ']' : '}';
    const nested = (depth: number) => `{"entries":[${open.repeat(depth)}1${close.repeat(depth)}]}`;
    expect(await read(nested(62))).toMatchObject({ elements: [{ array: 'entries' }] });
    expect(await read(nested(63))).toEqual({
      elements: [],
      error: 'The JSON nests deeper than 64, after 0 entries',
    });
  });

  it.each([
    ['a string', `{"entries":["${'a'.repeat(200_000)}`],
    ['a list that nobody asked for', `{"other":[${'1,'.repeat(100_000)}`],
    ['white space', `{"entries":[${' '.repeat(200_000)}`],
  ])('whose entry is too long because of %s is not read to its end', async (_what, file) => {
    const { error } = await read(file, { sizes: [100_000] });
    expect(error).toBe(`An entry is longer than ${MOST_BYTES} bytes, after 0 entries`);
  });

  it('may have any number of entries', async () => {
    const entries = Array.from({ length: 20_000 }, (_, number) => ({ number, text: 'a'.repeat(20) }));
    const { elements } = await read(JSON.stringify({ entries }), { sizes: [65_536] });
    expect(elements).toEqual(values('entries', ...entries));
  });
});
