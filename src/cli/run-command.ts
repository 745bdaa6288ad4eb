import { HttpException, type INestApplicationContext } from '@nestjs/common';
import type { CommandConfig } from '../config/config.js';
import { DatabaseUnavailableError, waitForDatabase } from '../database/connection/database-wait.js';
import { MigrationStatus } from '../database/migration-status.js';
import { messageOf } from '../observability/error-description.js';
import type { User } from '../users/user.entity.js';
import { UsersService } from '../users/users.service.js';

/** ms. Short, because a person waits. */
const DATABASE_WAIT_MS = 10_000;

/** An error that the user can fix. Only its message is printed. */
class CommandError extends Error {
  override readonly name = 'CommandError';
}

/**
 * Runs a command in an application, which it closes.
 *
 * @throws {CommandError} if migrations are pending
 */
export async function runCommand<App extends INestApplicationContext, Result>(
  { database }: Pick<CommandConfig, 'database'>,
  createApp: () => Promise<App>,
  run: (app: App) => Promise<Result>,
): Promise<Result> {
  await waitForDatabase(database, (line) => console.error(line), DATABASE_WAIT_MS);
  const app = await createApp();
  try {
    const pending = await app.get(MigrationStatus).pending();
    if (pending.length > 0)
      throw new CommandError(
        `the database has pending migrations (${pending.join(', ')}): run node dist/database/migrate.js up`,
      );
    return await run(app);
  } finally {
    await app.close();
  }
}

/** @throws {CommandError} if there is none */
export async function userOf(app: INestApplicationContext, email: string): Promise<User> {
  const user = await app.get(UsersService).findByEmail(email);
  if (!user) throw new CommandError(`no user has the e-mail address ${email}`);
  return user;
}

/** A plain message for errors that the user can fix; otherwise the stack. */
export function describeFailure(error: unknown): string {
  if (
    error instanceof CommandError ||
    error instanceof DatabaseUnavailableError ||
    error instanceof HttpException
  ) {
    return error.message;
  }
  const { code, path, message, stack } = error as NodeJS.ErrnoException;
  switch (code) {
    case 'ENOENT':
      return `no such file${path === undefined ? '' : `: ${path}`}`;
    case 'EACCES':
      return `permission denied${path === undefined ? '' : `: ${path}`}`;
    case 'EISDIR':
      return `is a directory${path === undefined ? '' : `: ${path}`}`;
    case 'EPIPE':
      return 'the reader of the output has closed the pipe';
    case 'ENOSPC':
      return 'the disk is full';
    default:
      return code === undefined ? (stack ?? message) : `failed: ${messageOf(error)} (${code})`;
  }
}
