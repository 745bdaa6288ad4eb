import { RequestTimeoutException } from '@nestjs/common';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { chunksOf, collect, failingAfter } from '../../../test/harness/streaming/chunks.js';
import { form } from '../../../test/harness/streaming/form.js';
import { fileOfForm } from './multipart-body.js';
import { ConnectionCutError } from './streamed-body.js';

const TYPE = 'multipart/form-data; boundary=b';

const field = (name: string, value: string) =>
  `--b\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`;
const file = (content: string) =>
  `--b\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\n${content}\r\n`;

const contentOf = async (chunks: AsyncIterable<Buffer>) => Buffer.concat(await collect(chunks));
const read = async (body: string) => (await contentOf(fileOfForm(chunksOf(body, 1000), TYPE))).toString();

describe('the file of a form', () => {
  it('is what was sent, whatever its bytes and the sizes of the chunks', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          fc.uint8Array({ maxLength: 3000 }),
          // Beginnings of a boundary.
          fc
            .array(fc.constantFrom('\r\n', '--', '-', '\r', '\n', 'b'))
            .map((parts) => Buffer.from(parts.join(''))),
        ),
        fc.array(fc.integer({ min: 1, max: 200 }), { minLength: 1, maxLength: 4 }),
        async (content, sizes) => {
          const [body, type] = form(Buffer.from(content));
          expect(await contentOf(fileOfForm(chunksOf(body, ...sizes), type))).toEqual(Buffer.from(content));
        },
      ),
    );
  });

  it('may have fields before and after it, even large ones', async () => {
    const large = field('a', 'x'.repeat(1_000_000));
    expect(await read(`${large}${file('text,mood')}${large}--b--\r\n`)).toBe('text,mood');
  });

  it('must be there, and be the only one', async () => {
    await expect(read(`${field('a', '1')}--b--\r\n`)).rejects.toThrow('The form has no file');
    await expect(read('--b--\r\n')).rejects.toThrow('The form has no file');
    await expect(read(`${file('a')}${file('b')}--b--\r\n`)).rejects.toThrow(
      'The form has more than one file; only the first was read',
    );
  });

  it('must be one of the first 30 parts', async () => {
    const fields = (count: number) => Array<string>(count).fill(field('a', '1')).join('');
    expect(await read(`${fields(29)}${file('text')}${fields(100)}--b--\r\n`)).toBe('text');
    await expect(read(`${fields(30)}${file('text')}--b--\r\n`)).rejects.toThrow(
      'The form has no file in its first 30 parts',
    );
  });

  it.each(['', '--b', field('a', '1'), file('text,mood'), `${file('a')}--b`])(
    'is refused if the form ends early: %j',
    async (body) => {
      await expect(read(body)).rejects.toThrow(/^The form (?:ends early|has no file)$/);
    },
  );

  it('that a form ends early in is refused after what has arrived', async () => {
    const chunks = fileOfForm(chunksOf(file('a'.repeat(500_000)), 1000), TYPE);
    await expect(collect(chunks)).rejects.toThrow('The form ends early');
  });

  it.each([
    ['before it', ''],
    ['in a field before it', field('a', 'x').slice(0, -3)],
    ['in it', file('a'.repeat(100_000)).slice(0, -2)],
    ['after it', file('text')],
  ])('fails with what its source fails with %s', async (_where, body) => {
    for (const failure of [new ConnectionCutError(undefined), new RequestTimeoutException()])
      await expect(collect(fileOfForm(failingAfter(body, failure), TYPE))).rejects.toBe(failure);
  });

  it('need not be read to its end', async () => {
    let isClosed = false;
    const source = async function* () {
      try {
        yield* chunksOf(file('a'.repeat(1_000_000)), 1000);
      } finally {
        isClosed = true;
      }
    };
    for await (const chunk of fileOfForm(source(), TYPE)) {
      expect(chunk.length).toBeGreaterThan(0);
      break;
    }
    expect(isClosed).toBe(true);
  });
});
