import { randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, realpath, rename, rm, stat } from 'node:fs/promises';
import { finished } from 'node:stream/promises';
import { addAbortSignal, type Writable } from 'node:stream';
import type { ExportOptions, ExportService } from '../entries/transfer/export.service.js';
import type { ImportOptions, ImportService } from '../entries/transfer/import.service.js';
import type { EntriesRepository } from '../entries/entries.repository.js';
import type { ImportReport } from '../entries/transfer/transfer.schemas.js';
import { Progress, type Screen } from './progress.js';

/** File name of standard input and output. */
export const STANDARD = '-';

/** Readable by the owner only. */
const FILE_MODE = 0o600;

/** The default of BODY_LIMIT_BYTES, the limit over HTTP. */
const MAX_ENTRY_BYTES = 1_048_576;

export interface Transfer {
  readonly userId: string;
  readonly file: string;
  readonly screen: Screen;
  readonly signal: AbortSignal;
}

export async function importFile(
  entries: ImportService,
  { userId, file, screen, signal }: Transfer,
  options: Omit<ImportOptions, 'maxEntryBytes'>,
): Promise<ImportReport> {
  const source = addAbortSignal(signal, file === STANDARD ? process.stdin : createReadStream(file));
  const size = file === STANDARD ? undefined : (await stat(file)).size;
  const progress = new Progress(screen, size);
  let bytes = 0;
  async function* chunks() {
    for await (const chunk of source as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      yield chunk;
    }
  }
  try {
    return await entries.run(userId, chunks(), {
      ...options,
      maxEntryBytes: MAX_ENTRY_BYTES,
      onProgress: ({ imported, skipped }) => progress.update(bytes, imported + skipped),
    });
  } finally {
    progress.end();
  }
}

/**
 * Writes to a temporary file and renames it when complete, so that an earlier export is replaced only by a complete
 * one. Pipes and devices are written directly.
 *
 * @returns the number of entries
 */
export async function exportFile(
  entries: ExportService,
  queries: EntriesRepository,
  { userId, file, screen, signal }: Transfer,
  options: Omit<ExportOptions, 'turn'>,
): Promise<number> {
  const progress = new Progress(screen, await queries.count({ userId, filters: {}, trash: false }));
  const { target, keep, discard } = await openTarget(file);
  const failed = finished(target, { readable: false });
  failed.catch(() => {});
  let rows = 0;
  try {
    for await (const batch of entries.run(userId, {}, options)) {
      signal.throwIfAborted();
      // Unlike a drain event, the callback also runs when the stream has failed.
      await new Promise<void>((resolve, reject) => {
        target.write(batch.data, (error) => (error ? reject(error) : resolve()));
      });
      rows += batch.rows;
      progress.update(rows, rows);
    }
    if (file !== STANDARD) {
      target.end();
      await failed;
    }
    await keep();
    return rows;
  } catch (error) {
    await discard();
    throw error;
  } finally {
    progress.end();
  }
}

interface Target {
  readonly target: Writable;
  /** Call it when the file is written and closed. */
  readonly keep: () => Promise<void>;
  readonly discard: () => Promise<void>;
}

async function openTarget(file: string): Promise<Target> {
  const nothing = () => Promise.resolve();
  if (file === STANDARD) return { target: process.stdout, keep: nothing, discard: nothing };
  const existing = await stat(file).catch(() => undefined);
  if (existing && !existing.isFile()) {
    const target = (await open(file, 'w')).createWriteStream();
    return { target, keep: nothing, discard: () => Promise.resolve(void target.destroy()) };
  }
  // Resolves links, so that the link itself is kept.
  const name = existing ? await realpath(file) : file;
  // A unique name: an existing file would keep its owner and mode.
  const partial = `${name}.${randomBytes(6).toString('hex')}.partial`;
  const target = (await open(partial, 'wx', FILE_MODE)).createWriteStream();
  return {
    target,
    keep: () => rename(partial, name),
    discard: async () => {
      target.destroy();
      await rm(partial, { force: true });
    },
  };
}
