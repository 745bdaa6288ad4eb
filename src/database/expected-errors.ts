import { isMigratorError } from '../migrator/migrator-errors.js';
import { DatabaseUnavailableError } from './database-wait.js';

/** What an operator can mend: told by its message alone, without a stack. */
export function isExpected(error: unknown): error is Error {
  return error instanceof DatabaseUnavailableError || isMigratorError(error);
}
