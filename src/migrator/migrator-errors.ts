import { MigrationLockError, MigrationLockTimeoutError } from './apply/migration-lock.js';

/** Migrating failed. The message is for the operator. */
export class MigrationError extends Error {
  override readonly name = 'MigrationError';
}

const EXPLAINED = [MigrationError, MigrationLockError, MigrationLockTimeoutError];

/** Whether the message alone tells an operator or developer what to do: no stack is needed. */
export function isMigratorError(error: unknown): error is Error {
  return EXPLAINED.some((type) => error instanceof type);
}
