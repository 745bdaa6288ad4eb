import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

const PACKAGE = packageOf(import.meta.dirname);

/** Where package.json is, and scripts/ beside it, but in the image. */
export const PROJECT_FOLDER = dirname(PACKAGE);

/** The version of this build: what the migration history names. */
export const RELEASE = (JSON.parse(readFileSync(PACKAGE, 'utf8')) as { version: string }).version;

/** The nearest package.json, as Node finds it; the compiled program need not lie in `dist`. */
function packageOf(folder: string): string {
  const file = join(folder, 'package.json');
  return existsSync(file) ? file : packageOf(dirname(folder));
}
