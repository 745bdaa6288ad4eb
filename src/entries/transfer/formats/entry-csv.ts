import type { Entry } from '../../entry-row.js';

/** Makes spreadsheets read CSV as UTF-8. Optional in an import. */
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
/** User-written text, which may look like a formula. */
const WRITTEN: ReadonlySet<Column> = new Set<Column>(['text', 'category', 'tags']);

export const CSV_HEADER = `${COLUMNS.join(',')}\r\n`;

/** One more than there are columns, which is enough to detect a record with too many cells. */
export const MAX_CELLS = COLUMNS.length + 1;

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
 * @param cells of the header
 * @returns the columns in the order of the file
 * @throws {CsvHeaderError}
 */
export function columnsOf(cells: readonly string[]): readonly Column[] {
  const columns = cells.map((cell) => {
    const name = cell.trim();
    const column = COLUMNS.find((candidate) => candidate === name);
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

/** Maps cells to fields, which are not yet validated. An empty cell is an omitted field. */
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
