import { moodless } from '../mood-names.js';
import type { EntryRecord, ImportFormat, ReadOptions } from './format.js';
import { jsonElements } from './json-elements.js';

/** Day One's lists of files that belong to an entry. */
const ATTACHMENTS = ['photos', 'videos', 'audios', 'pdfAttachments'] as const;

/** Characters of a category: a journal may have a longer name. */
const MOST_CATEGORY = 50;

/**
 * Day One's JSON: `{"metadata": {…}, "entries": [{uuid, text, creationDate, timeZone, tags, starred, photos, …}]}`. A zip
 * has one such file for each journal, named like the journal.
 * https://dayoneapp.com/guides/tips-and-tutorials/exporting-entries/
 */
export const dayOne = {
  name: 'day-one',
  counts: 'entry',
  inZip: /^[^/]+\.json$/i,
  recognizes: (head) => /^\s*\{\s*"(?:metadata|entries)"\s*:/.test(head),
  async *read(file, options) {
    let number = 0;
    for await (const elements of jsonElements(file, ['entries'], options.maxEntryBytes)) {
      yield elements.map(({ value }): EntryRecord => {
        number += 1;
        return { number, fields: undefined, ...recordOf(value, options) };
      });
    }
  },
} as const satisfies ImportFormat;

function recordOf(value: unknown, { moods, times, ignore, fileName }: ReadOptions): Partial<EntryRecord> {
  if (typeof value !== 'object' || value === null) return { fault: 'is not an object' };
  const entry = value as Readonly<Record<string, unknown>>;
  for (const name of ATTACHMENTS) {
    const list = entry[name];
    if (Array.isArray(list) && list.length > 0) ignore(name, list.length);
  }
  const mood = moods.valueOf('');
  if (mood === undefined) return { fault: moodless('') };
  const { uuid, text, creationDate, timeZone, tags, starred } = entry;
  const written = typeof text === 'string' ? withoutAttachments(text) : '';
  if (written === '') return { fault: 'has no text' };
  const named = Array.isArray(tags) ? (tags as unknown[]) : [];
  return {
    fields: {
      text: written,
      mood,
      tags: starred === true ? [...named, 'starred'] : named,
      occurredAt: occurredAtOf(creationDate, timeZone, times),
      ...(fileName !== undefined && { category: [...fileName].slice(0, MOST_CATEGORY).join('') }),
    },
    ...(typeof uuid === 'string' && { identity: ['day-one', uuid] }),
  };
}

/**
 * Where a photo stood in the text, there is only a link that Day One understands. No part of the pattern matches the
 * bracket that starts it: otherwise a megabyte of brackets would take minutes.
 */
function withoutAttachments(text: string): string {
  return text.replace(/!\[[^\][]*\]\(dayone-moment:[^()]*\)\n?/g, '').trim();
}

function occurredAtOf(date: unknown, timeZone: unknown, times: ReadOptions['times']): unknown {
  if (typeof date !== 'string' || /(?:Z|[+-]\d\d:?\d\d)$/.test(date)) return date;
  try {
    return times.instantOf(date, typeof timeZone === 'string' ? timeZone : undefined) ?? date;
  } catch {
    return times.instantOf(date) ?? date;
  }
}
