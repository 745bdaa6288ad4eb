import { moodless } from '../mood-names.js';
import { daylioFields } from './daylio.js';
import { ImportFileError, type EntryRecord, type ImportFormat, type ReadOptions } from './format.js';
import { jsonElements } from './json-elements.js';

/** Most bytes of a backup without its photos. An entry has about 300, so that this is a diary of 50,000. */
const MOST_BYTES = 16 * 1024 * 1024;

/** Most moods and tags, which are kept while entries are read. */
const MOST_NAMES = 10_000;

const MOOD_GROUPS = 5;

interface Mood {
  readonly name: string;
  readonly ranked: number | undefined;
}

/**
 * The `backup.daylio` in a `.daylio` file, which is a zip: base64 of
 * `{"customMoods": [{id, custom_name, mood_group_id}], "tags": [{id, name}], "dayEntries": [{datetime, mood, note_title,
 * note, tags: [id], assets: [id]}]}`. `mood_group_id` ranks a mood from 1, the best, to 5.
 */
export const daylioBackup = {
  name: 'daylio-backup',
  counts: 'entry',
  inZip: /(?:^|\/)[^/]+\.daylio$/i,
  // Base64 of `{"`.
  recognizes: (head) => head.startsWith('eyJ'),
  async *read(file, options) {
    // Entries refer to moods and tags, which may come after them.
    const json = await decode(file);
    const moods = new Map<unknown, Mood>();
    const tags = new Map<unknown, string>();
    for await (const elements of jsonElements(slicesOf(json), ['customMoods', 'tags'], MOST_BYTES)) {
      for (const { array, value } of elements) {
        if (array === 'tags') tags.set(fieldOf(value, 'id'), textOf(value, 'name'));
        else moods.set(fieldOf(value, 'id'), moodOf(value));
      }
      if (moods.size + tags.size > MOST_NAMES)
        throw new ImportFileError(`The backup has more than ${MOST_NAMES} moods and tags`);
    }
    let number = 0;
    for await (const elements of jsonElements(slicesOf(json), ['dayEntries'], MOST_BYTES)) {
      yield elements.map(({ value }): EntryRecord => {
        number += 1;
        return { number, fields: undefined, ...recordOf(value, moods, tags, options) };
      });
    }
  },
} as const satisfies ImportFormat;

/** @throws {ImportFileError} */
async function decode(file: AsyncIterable<Buffer>): Promise<Buffer> {
  const pieces: Buffer[] = [];
  let length = 0;
  let rest = '';
  let hasEnded = false;
  for await (const chunk of file) {
    const text = rest + chunk.toString('latin1').replace(/\s/g, '');
    if (text === '') continue;
    // Nothing may follow the padding.
    if (hasEnded || !/^[A-Za-z0-9+/]*={0,2}$/.test(text))
      throw new ImportFileError('The backup is not valid base64');
    const whole = text.length - (text.length % 4);
    rest = text.slice(whole);
    hasEnded = rest === '' && text.endsWith('=');
    const piece = Buffer.from(text.slice(0, whole), 'base64');
    length += piece.length;
    if (length > MOST_BYTES) throw new ImportFileError(`The backup is larger than ${MOST_BYTES} bytes`);
    pieces.push(piece);
  }
  if (rest !== '') throw new ImportFileError('The backup is not valid base64: it ends early');
  return Buffer.concat(pieces);
}

async function* slicesOf(json: Buffer): AsyncGenerator<Buffer> {
  const size = 64 * 1024;
  for (let from = 0; from < json.length; from += size) {
    // Other requests have their turn.
    await new Promise((resolve) => setImmediate(resolve));
    yield json.subarray(from, from + size);
  }
}

function moodOf(value: unknown): Mood {
  const group = fieldOf(value, 'mood_group_id');
  const inScale = typeof group === 'number' && Number.isInteger(group) && group >= 1 && group <= MOOD_GROUPS;
  const names = ['', 'rad', 'good', 'meh', 'bad', 'awful'];
  const predefined = names[Number(fieldOf(value, 'predefined_name_id'))];
  return {
    name: textOf(value, 'custom_name').trim() || (predefined ?? ''),
    ranked: inScale ? 2 * (MOOD_GROUPS + 1 - group) : undefined,
  };
}

function recordOf(
  value: unknown,
  moodsById: ReadonlyMap<unknown, Mood>,
  tagsById: ReadonlyMap<unknown, string>,
  { moods, ignore }: ReadOptions,
): Partial<EntryRecord> {
  const assets = fieldOf(value, 'assets');
  if (Array.isArray(assets) && assets.length > 0) ignore('photos', assets.length);
  const time = fieldOf(value, 'datetime');
  if (typeof time !== 'number' || !(Math.abs(time) <= 8.64e15)) return { fault: 'has no datetime' };
  const occurredAt = new Date(time).toISOString();
  const { name, ranked } = moodsById.get(fieldOf(value, 'mood')) ?? { name: '', ranked: undefined };
  const mood = moods.valueOf(name, ranked);
  if (mood === undefined) return { fault: moodless(name) };
  const ids = fieldOf(value, 'tags');
  const tags = (Array.isArray(ids) ? (ids as unknown[]) : []).map((id) => tagsById.get(id) ?? '');
  const [title, note] = [textOf(value, 'note_title'), textOf(value, 'note')];
  return daylioFields({ title, note, moodName: name, mood, tags, occurredAt });
}

function textOf(value: unknown, name: string): string {
  const text = fieldOf(value, name);
  return typeof text === 'string' ? text : '';
}

function fieldOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined;
}
