import type { Entry } from '../../entry-row.js';
import { ImportFileError, type ReadOptions } from './format.js';

/** Makes spreadsheets read CSV as UTF-8. Optional in an import. */
export const BYTE_ORDER_MARK = '\ufeff';

export const KNOWN_COLUMNS = [
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
export type Column = (typeof KNOWN_COLUMNS)[number];

/** Unknown columns in a message. */
const MOST_LISTED = 10;

const REQUIRED: readonly Column[] = ['text', 'mood'];
const NUMBERS: ReadonlySet<Column> = new Set<Column>(['mood', 'version']);
/** User-written text, which may look like a formula. */
const WRITTEN: ReadonlySet<Column> = new Set<Column>(['text', 'category', 'tags']);

export const CSV_HEADER = `${KNOWN_COLUMNS.join(',')}\r\n`;

export function csvLine(entry: Entry): string {
  const cells = KNOWN_COLUMNS.map((column) => {
    const value = entry[column];
    const cell = typeof value === 'object' ? joinTags(value) : String(value);
    return quote(WRITTEN.has(column) ? escapeFormula(cell) : cell);
  });
  return `${cells.join(',')}\r\n`;
}

/**
 * @param cells of the header
 * @returns the columns in the order of the file; undefined for one that is ignored
 * @throws {ImportFileError}
 */
export function columnsOf(
  cells: readonly string[],
  unknownColumns: ReadOptions['unknownColumns'],
  ignore: ReadOptions['ignore'],
): readonly (Column | undefined)[] {
  const names = cells.map((cell) => cell.trim());
  const columns = names.map((name) => KNOWN_COLUMNS.find((column) => column === name));
  const unknown = names.filter((_, index) => columns[index] === undefined);
  if (unknown.length > 0 && unknownColumns === 'refuse') {
    const quoted = unknown.slice(0, MOST_LISTED).map((name) => JSON.stringify(name.slice(0, 50)));
    throw new ImportFileError(
      `Unknown column ${quoted.join(', ')}; known columns: ${KNOWN_COLUMNS.join(', ')}; unknownColumns=ignore leaves others out`,
    );
  }
  for (const name of unknown) ignore(`column ${name.slice(0, 50)}`);
  const repeated = columns.find((column, index) => column && columns.indexOf(column) !== index);
  if (repeated) throw new ImportFileError(`Duplicate column ${repeated}`);
  const missing = REQUIRED.find((column) => !columns.includes(column));
  if (missing) throw new ImportFileError(`Missing column ${missing}`);
  return columns;
}

/** Maps cells to fields, which are not yet validated. An empty cell is an omitted field. */
export function fieldsOf(
  columns: readonly (Column | undefined)[],
  cells: readonly string[],
): Record<string, unknown> {
  const fields: Record<string, unknown> = {};
  for (const [index, column] of columns.entries()) {
    const cell = cells[index] ?? '';
    if (column === undefined) continue;
    else if (column === 'text') fields[column] = unescapeFormula(cell);
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
 * Prefixes text that a spreadsheet would run as a formula with an apostrophe. Text that already has apostrophes before
 * such a sign gets one more, so that {@link unescapeFormula} restores it. Other text stays unchanged.
 * https://owasp.org/www-community/attacks/CSV_Injection
 */
function escapeFormula(cell: string): string {
  return /^'*[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]/.test(cell) ? `'${cell}` : cell;
}

function unescapeFormula(cell: string): string {
  return /^'+[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]/.test(cell) ? cell.slice(1) : cell;
}

/** `river,walk`; commas and backslashes in a tag are escaped with a backslash. */
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
