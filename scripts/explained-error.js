import { relative } from 'node:path';

/** An error whose message is all that a person needs: what went wrong and what to do. Shown without a stack. */
export class ExplainedError extends Error {
  /** @override */
  name = 'ExplainedError';
}

/** @type {Readonly<Record<string, string>>} */
const REASONS = {
  EACCES: 'permission denied',
  EPERM: 'not permitted',
  EROFS: 'the file system is read-only',
  ENOSPC: 'the disk is full',
  EDQUOT: 'the disk quota is used up',
  EMFILE: 'too many open files',
};

/**
 * The one line to show for an error.
 *
 * @param {unknown} error
 * @returns {string}
 */
export function explain(error) {
  if (error instanceof ExplainedError) return error.message;
  if (!(error instanceof Error)) return String(error);
  const { code, path, syscall } = /** @type {NodeJS.ErrnoException} */ (error);
  const reason = code === undefined ? undefined : REASONS[code];
  if (reason === undefined) return `unexpected ${error.name}: ${error.message}`;
  const place = path === undefined ? '' : ` ${shortPath(path)}`;
  return `cannot ${syscall === 'scandir' ? 'read' : 'write'}${place}: ${reason} (${code})`;
}

/**
 * A path as a person would type it: relative to the working directory where it is below that.
 *
 * @param {string} path
 */
export function shortPath(path) {
  const short = relative(process.cwd(), path);
  return short === '' || short.startsWith('..') ? path : short;
}
