import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Busboy, type BusboyInstance } from '@fastify/busboy';
import { BadRequestException, UnprocessableEntityException } from '@nestjs/common';

const LIMITS = { files: 1, fields: 20, fieldSize: 64 * 1024, parts: 30, headerPairs: 50 };

/**
 * The one file of a form (RFC 7578), as it arrives. Other fields are passed over.
 *
 * @param contentType with the boundary
 * @throws {BadRequestException} if it is no form
 * @throws {UnprocessableEntityException} if it has no file, or, after the first was read, more than one
 */
export async function* fileOfForm(form: AsyncIterable<Buffer>, contentType: string): AsyncGenerator<Buffer> {
  let parser: BusboyInstance;
  try {
    parser = new Busboy({ headers: { 'content-type': contentType }, limits: LIMITS });
  } catch {
    throw new BadRequestException('The Content-Type has no boundary of a form');
  }
  const outcome: { failure?: Error } = {};
  let file: Readable | undefined;
  const limits = { files: false, parts: false };
  parser.once('filesLimit', () => (limits.files = true));
  parser.once('partsLimit', () => (limits.parts = true));
  const found = new Promise<Readable>((resolve) => {
    parser.once('file', (_field, stream) => resolve((file = stream)));
  });
  const piped = pipeline(form, parser).catch((error: unknown) => {
    outcome.failure = error as Error;
    file?.destroy(error as Error);
  });
  const rethrow = (): void => {
    const { failure } = outcome;
    if (failure?.message.startsWith('Unexpected end of multipart'))
      throw new BadRequestException('The form ends early');
    if (failure) throw failure;
  };
  try {
    const stream = await Promise.race([found, piped]);
    rethrow();
    if (!stream)
      throw new UnprocessableEntityException(
        limits.parts ? `The form has no file in its first ${LIMITS.parts} parts` : 'The form has no file',
      );
    try {
      for await (const chunk of stream as AsyncIterable<Buffer>) yield chunk;
    } catch (error) {
      await piped;
      rethrow();
      throw error;
    }
    await piped;
    rethrow();
    if (limits.files)
      throw new UnprocessableEntityException('The form has more than one file; only the first was read');
  } finally {
    parser.destroy();
    await piped;
  }
}
