import { MigrationError } from '../migrator/apply/apply-migrations.js';
import { DatabaseUnavailableError } from './database-wait.js';
import { MigrationLockError, MigrationLockTimeoutError } from '../migrator/apply/migration-lock.js';

const EXPECTED = [DatabaseUnavailableError, MigrationError, MigrationLockError, MigrationLockTimeoutError];

/** What an operator can mend: told by its message alone, without a stack. */
export function isExpected(error: unknown): error is Error {
  return EXPECTED.some((type) => error instanceof type);
}
