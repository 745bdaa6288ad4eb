import { isMigratorError } from '../migrator/migrator-errors.js';
import { DatabaseUnavailableError } from './connection/database-wait.js';

/** Errors that an operator can fix. Only their message is logged, without a stack. */
export function isExpected(error: unknown): error is Error {
  return error instanceof DatabaseUnavailableError || isMigratorError(error);
}
