import { moodless } from '../mood-names.js';
import { csvTable, headerNames } from './csv-reader.js';
import { daylioFields, RANKED_NAMES } from './daylio.js';
import { ImportFileError, type EntryRecord, type ImportFormat, type ReadOptions } from './format.js';
import { isAfternoon, monthOf } from './localized-dates.js';

type Row = Readonly<Record<string, string>>;

/**
 * The CSV that Daylio exports: `full_date,date,weekday,time,mood,activities,note_title,note`, in older versions with a
 * `year` and without `full_date`. `date`, `weekday` and `time` are in the language of the phone.
 */
export const daylioCsv = {
  name: 'daylio-csv',
  counts: 'line',
  recognizes: (head) => {
    const columns = headerNames(head);
    const has = (name: string) => columns.includes(name);
    return has('mood') && has('activities') && (has('full_date') || has('year'));
  },
  read: (file, options) =>
    csvTable(file, options.maxEntryBytes, headerOf, (columns, cells) => {
      const named = columns.map((name, index) => [name, cells[index] ?? '']);
      return recordOf(Object.fromEntries(named) as Row, options);
    }),
} as const satisfies ImportFormat;

function headerOf(cells: readonly string[]): readonly string[] {
  const columns = cells.map((cell) => cell.trim());
  const wanted = columns.includes('full_date')
    ? ['time', 'mood', 'activities', 'note']
    : ['year', 'date', 'time', 'mood', 'activities', 'note'];
  const missing = wanted.filter((name) => !columns.includes(name));
  if (missing.length > 0)
    throw new ImportFileError(`Missing column ${missing.join(', ')} of a Daylio export`);
  return columns;
}

function recordOf(row: Row, { moods, times }: ReadOptions): Partial<EntryRecord> {
  const { mood: name = '', activities = '', note_title: title = '', note = '' } = row;
  const date = dateOf(row);
  if (date === undefined) return { fault: 'has no date that we can read' };
  const time = timeOf(row['time'] ?? '');
  if (time === undefined)
    return { fault: `time ${JSON.stringify((row['time'] ?? '').slice(0, 50))} is not a time` };
  const occurredAt = times.instantOf(`${date}T${time}`);
  if (occurredAt === undefined) return { fault: `${date} ${time} does not exist` };
  const mood = moods.valueOf(name.trim(), RANKED_NAMES.get(name.trim().toLowerCase()));
  if (mood === undefined) return { fault: moodless(name.trim()) };
  const tags = activities.split(' | ').map((tag) => tag.trim());
  return daylioFields({ title, note, moodName: name.trim(), mood, tags, occurredAt });
}

/** @returns `2026-03-01` */
function dateOf({ full_date: fullDate, year = '', date = '' }: Row): string | undefined {
  if (fullDate !== undefined) return /^\d{4}-\d{2}-\d{2}$/.exec(fullDate.trim())?.[0];
  const day = /(?<!\d)\d{1,2}(?!\d|\s*[月월])/.exec(date)?.[0];
  const month = monthOf(date);
  if (!/^\d{4}$/.test(year.trim()) || day === undefined || month === undefined) return undefined;
  return `${year.trim()}-${String(month).padStart(2, '0')}-${day.padStart(2, '0')}`;
}

/** @param given `21:05`, `9:05 PM` or `9.05 PM`, the half of the day in any language @returns `21:05` */
function timeOf(given: string): string | undefined {
  const [, before = '', hour = '', minute = '', after = ''] =
    /^(\D*)(\d{1,2})[:.](\d{2})(?:[:.]\d{2})?(\D*)$/.exec(given.trim()) ?? [];
  if (hour === '' || Number(minute) > 59) return undefined;
  const half = `${before} ${after}`.trim();
  if (half === '') return Number(hour) < 24 ? `${hour.padStart(2, '0')}:${minute}` : undefined;
  const afternoon = isAfternoon(half);
  if (afternoon === undefined || Number(hour) < 1 || Number(hour) > 12) return undefined;
  return `${String((Number(hour) % 12) + (afternoon ? 12 : 0)).padStart(2, '0')}:${minute}`;
}
