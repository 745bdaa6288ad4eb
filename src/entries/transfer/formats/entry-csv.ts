import type { Entry } from '../../entry-row.js';

/**
 * Entries as CSV (RFC 4180). A file begins with a byte-order mark, without which spreadsheets take UTF-8 for something
 * else; on the way in it may be there or not.
 */
export const BYTE_ORDER_MARK = '\ufeff';

const COLUMNS = [
  'id',
  'text',
  'mood',
  'category',
  'tags',
  'occurredAt',
  'createdAt',
  'updatedAt',
  'version',
] as const satisfies readonly (keyof Entry)[];
type Column = (typeof COLUMNS)[number];

const REQUIRED: readonly Column[] = ['text', 'mood'];
const NUMBERS: ReadonlySet<Column> = new Set<Column>(['mood', 'version']);
/** What people write, and could hold a formula. */
const WRITTEN: ReadonlySet<Column> = new Set<Column>(['text', 'category', 'tags']);

export const CSV_HEADER = `${COLUMNS.join(',')}\r\n`;

/** A cell more than there are columns shows that there are too many, and a million need not be made to see it. */
export const MAX_CELLS = COLUMNS.length + 1;

/** The first line of a file says how the others are to be read, and does not. */
export class CsvHeaderError extends Error {
  override readonly name = 'CsvHeaderError';
}

export function csvLine(entry: Entry): string {
  const cells = COLUMNS.map((column) => {
    const value = entry[column];
    const cell = typeof value === 'object' ? joinTags(value) : String(value);
    return quote(WRITTEN.has(column) ? escapeFormula(cell) : cell);
  });
  return `${cells.join(',')}\r\n`;
}

/**
 * Reads the header.
 *
 * @returns the columns, in the file's order
 * @throws {CsvHeaderError}
 */
export function columnsOf(cells: readonly string[]): readonly Column[] {
  const columns = cells.map((cell) => {
    const name = cell.trim();
    const column = COLUMNS.find((known) => known === name);
    if (column) return column;
    throw new CsvHeaderError(
      `Unknown column ${JSON.stringify(name.slice(0, 50))}; ` + `known columns: ${COLUMNS.join(', ')}`,
    );
  });
  const repeated = columns.find((column, index) => columns.indexOf(column) !== index);
  if (repeated) throw new CsvHeaderError(`Duplicate column ${repeated}`);
  const missing = REQUIRED.find((column) => !columns.includes(column));
  if (missing) throw new CsvHeaderError(`Missing column ${missing}`);
  return columns;
}

/** A record's cells → the fields of an entry, not yet checked. An empty cell is a field that is left out. */
export function fieldsOf(columns: readonly Column[], cells: readonly string[]): Record<string, unknown> {
  const fields: Record<string, unknown> = {};
  for (const [index, column] of columns.entries()) {
    const cell = cells[index] ?? '';
    if (column === 'text') fields[column] = unescapeFormula(cell);
    else if (cell.trim() === '') continue;
    else if (column === 'tags') fields[column] = splitTags(unescapeFormula(cell));
    else if (NUMBERS.has(column)) fields[column] = /^\s*\d{1,10}\s*$/.test(cell) ? Number(cell) : NaN;
    else fields[column] = WRITTEN.has(column) ? unescapeFormula(cell) : cell.trim();
  }
  return fields;
}

/** RFC 4180 §2.5–2.7. */
function quote(cell: string): string {
  return /[",\r\n]|^ | $/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell;
}

/**
 * What a spreadsheet would take for a formula gets an apostrophe before it, by which spreadsheets know text. What has
 * apostrophes before such a sign already gets one more, so that {@link unescapeFormula} gives back what was there; other text that
 * begins with an apostrophe is left alone, on both ways.
 * https://owasp.org/www-community/attacks/CSV_Injection
 */
function escapeFormula(cell: string): string {
  return /^'*[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]/.test(cell) ? `'${cell}` : cell;
}

function unescapeFormula(cell: string): string {
  return /^'+[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]/.test(cell) ? cell.slice(1) : cell;
}

/** `river,walk`. A comma or backslash of a tag itself has a backslash before it. */
function joinTags(tags: readonly string[]): string {
  return tags.map((tag) => tag.replace(/[\\,]/g, '\\$&')).join(',');
}

function splitTags(cell: string): string[] {
  const tags = [''];
  for (const [part] of cell.matchAll(/\\[\\,]|,|[^\\,]+|\\/g)) {
    if (part === ',') tags.push('');
    else tags.push((tags.pop() ?? '') + (/^\\[\\,]$/.test(part) ? part.slice(1) : part));
  }
  return tags;
}
