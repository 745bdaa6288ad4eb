import { relative } from 'node:path';

/** An error whose message is all that a person needs: what went wrong and what to do. Shown without a stack. */
export class ExplainedError extends Error {
  override readonly name = 'ExplainedError';
}

const REASONS: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  EPERM: 'not permitted',
  EROFS: 'the file system is read-only',
  ENOSPC: 'the disk is full',
  EDQUOT: 'the disk quota is used up',
  EMFILE: 'too many open files',
};

/** Errors of the application whose messages are for a person. By name: most are of the build, not of these sources. */
const EXPECTED = /^(ExplainedError|ConfigError|MigrationError|MigrationLockTimeoutError|MigrationLockError)$/;

/** What to show for an error, mostly one line. */
export function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (EXPECTED.test(error.name)) return error.message;
  const { code = '', path, syscall } = error as NodeJS.ErrnoException;
  const reason = REASONS[code];
  if (reason === undefined) return `unexpected ${error.name}: ${error.message}`;
  const place = path === undefined ? '' : ` ${shortPath(path)}`;
  return `cannot ${syscall === 'scandir' ? 'read' : 'write'}${place}: ${reason} (${code})`;
}

export function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException | undefined)?.code;
}

/** A path as a person would type it: relative to the working directory where it is below that. */
export function shortPath(path: string): string {
  const short = relative(process.cwd(), path);
  return short === '' || short.startsWith('..') ? path : short;
}
