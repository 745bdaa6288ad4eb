import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

const PACKAGE = packageOf(import.meta.dirname);

/** Where package.json is, and scripts/ beside it, but in the image. */
export const PROJECT_FOLDER = dirname(PACKAGE);

/** `SERVICE_NAME` names tokens, Redis keys and connections; the migration history has the `RELEASE`. */
export const { name: SERVICE_NAME, version: RELEASE } = JSON.parse(readFileSync(PACKAGE, 'utf8')) as {
  name: string;
  version: string;
};

/** The nearest package.json, as Node finds it; the compiled program need not lie in `dist`. */
function packageOf(folder: string): string {
  const file = join(folder, 'package.json');
  return existsSync(file) ? file : packageOf(dirname(folder));
}
