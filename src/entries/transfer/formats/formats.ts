import { csv } from './csv.js';
import { dayOne } from './day-one.js';
import { daylioBackup } from './daylio-backup.js';
import { daylioCsv } from './daylio-csv.js';
import type { ImportFormat } from './format.js';
import { ndjson } from './ndjson.js';

/** In the order in which they are tried: the first that recognizes a file reads it. */
export const IMPORT_FORMATS = [
  dayOne,
  daylioBackup,
  daylioCsv,
  ndjson,
  csv,
] as const satisfies readonly ImportFormat[];

export type ImportFormatName = (typeof IMPORT_FORMATS)[number]['name'];

export const IMPORT_FORMAT_NAMES: readonly ImportFormatName[] = IMPORT_FORMATS.map(({ name }) => name);
