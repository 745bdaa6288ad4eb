import type { EntryRecord } from './format.js';

/** Daylio's own names of its five moods, in English, on our scale. */
export const RANKED_NAMES: ReadonlyMap<string, number> = new Map([
  ['rad', 10],
  ['good', 8],
  ['meh', 6],
  ['bad', 4],
  ['awful', 2],
]);

export interface DaylioEntry {
  readonly title: string;
  readonly note: string;
  readonly moodName: string;
  readonly mood: number;
  readonly tags: readonly string[];
  readonly occurredAt: string;
}

/** An entry without a note has its activities, or else the name of its mood, as its text. */
export function daylioFields({
  title,
  note,
  moodName,
  mood,
  tags,
  occurredAt,
}: DaylioEntry): Partial<EntryRecord> {
  const written = [title.trim(), textOf(note)].filter((part) => part !== '').join('\n\n');
  const named = tags.filter((tag) => tag !== '');
  const text = written || named.join(', ') || moodName;
  return {
    fields: { text, mood, tags: named, occurredAt },
    identity: ['daylio', occurredAt, moodName, text],
  };
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&amp;': '&',
  '&lt;': '<',
  '&gt;': '>',
  '&quot;': '"',
  '&#39;': "'",
  '&nbsp;': ' ',
};

/** The text of a note, which may have the few tags that Daylio's editor makes. */
function textOf(note: string): string {
  return note
    .replace(/<br\s*\/?>|<\/(?:p|div|li|h[1-6])>/gi, '\n')
    .replace(/<li>/gi, '- ')
    .replace(/<\/?(?:p|div|span|font|b|i|u|s|em|strong|strike|ul|ol|h[1-6])(?:\s[^<>]*)?>/gi, '')
    .replace(/&(?:amp|lt|gt|quot|#39|nbsp);/g, (entity) => ENTITIES[entity] ?? entity)
    .trim();
}
