import { MigrationError } from './apply/apply-migrations.js';
import { MigrationLockError, MigrationLockTimeoutError } from './apply/migration-lock.js';

const EXPLAINED = [MigrationError, MigrationLockError, MigrationLockTimeoutError];

/** Whether the message alone tells an operator or developer what to do: no stack is needed. */
export function isMigratorError(error: unknown): error is Error {
  return EXPLAINED.some((type) => error instanceof type);
}
