import {
  HttpException,
  Module,
  type DynamicModule,
  type INestApplicationContext,
  type LoggerService,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { CommandConfig, Config } from '../config/config.js';
import { ConfigModule } from '../config/config.module.js';
import { DatabaseModule } from '../database/database.module.js';
import { DatabaseUnavailableError, waitForDatabase } from '../database/connection/database-wait.js';
import { MigrationStatus } from '../database/migration-status.js';
import { ExportService } from '../entries/transfer/export.service.js';
import { ImportService } from '../entries/transfer/import.service.js';
import { EntriesRepository } from '../entries/entries.repository.js';
import type { ImportReport } from '../entries/transfer/transfer.schemas.js';
import { TransferModule } from '../entries/transfer/transfer.module.js';
import { messageOf } from '../observability/error-description.js';
import { UsersModule } from '../users/users.module.js';
import { UsersService } from '../users/users.service.js';
import type { TransferCommand } from './command-line.js';
import { exportFile, importFile, STANDARD, type Transfer } from './transfer-files.js';

const EXIT_REFUSED_LINES = 3;

/** ms. Short, because a person waits. */
export const DATABASE_WAIT_MS = 10_000;

/** An error that the user can fix. Only its message is printed. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
}

/** Logs to standard error, because standard output may be the exported file. */
const logger: LoggerService = {
  log: () => {},
  warn: (message: unknown) => console.error(String(message)),
  error: (message: unknown) => console.error(String(message)),
};

@Module({})
class CommandModule {
  static forRoot(config: CommandConfig): DynamicModule {
    return {
      module: CommandModule,
      imports: [
        // A command does not migrate: that is for a start, or for migrate.js.
        ConfigModule.forRoot({ ...config, MIGRATIONS_RUN: false } as Config),
        DatabaseModule,
        UsersModule,
        TransferModule,
      ],
      providers: [EntriesRepository],
    };
  }
}

export async function runCommand(
  command: TransferCommand,
  config: CommandConfig,
  signal: AbortSignal,
): Promise<number> {
  await waitForDatabase(config.database, (line) => console.error(line), DATABASE_WAIT_MS);
  const app = await NestFactory.createApplicationContext(CommandModule.forRoot(config), {
    logger,
    abortOnError: false,
  });
  try {
    await refusePendingMigrations(app);
    const user = await app.get(UsersService).findByEmail(command.email);
    if (!user) throw new CommandError(`no user has the e-mail address ${command.email}`);
    const { file } = command;
    const transfer: Transfer = { userId: user.id, file, screen: process.stderr, signal };
    if (command.action === 'export') {
      const rows = await exportFile(app.get(ExportService), app.get(EntriesRepository), transfer, {
        format: command.format,
        timezone: user.timezone,
      });
      console.error(`exported ${rows} entries${file === STANDARD ? '' : ` to ${file}`}`);
      return 0;
    }
    const report = await importFile(app.get(ImportService), transfer, {
      timezone: user.timezone,
      ...command,
    });
    for (const line of linesOf(report, command.dryRun)) console.log(line);
    const { failed, errors } = report;
    for (const { line, entry, message } of errors)
      console.error(`${line === undefined ? `entry ${entry}` : `line ${line}`}: ${message}`);
    if (failed > errors.length) console.error(`and ${failed - errors.length} more`);
    return failed > 0 ? EXIT_REFUSED_LINES : 0;
  } finally {
    await app.close();
  }
}

/** @throws {CommandError} */
export async function refusePendingMigrations(app: INestApplicationContext): Promise<void> {
  const pending = await app.get(MigrationStatus).pending();
  if (pending.length === 0) return;
  throw new CommandError(
    `the database has pending migrations (${pending.join(', ')}): run node dist/database/migrate.js up`,
  );
}

function linesOf(report: ImportReport, dryRun = false): string[] {
  const { format, imported, skipped, failed, ignored, unknownMoods = {}, adjustedTimes } = report;
  const counts = `imported ${imported}, skipped ${skipped} existing, rejected ${failed}`;
  const lines = [dryRun ? `dry run, nothing is written (${format}): ${counts}` : counts];
  for (const [what, count] of Object.entries(ignored)) lines.push(`left out: ${what} (${count})`);
  for (const [name, count] of Object.entries(unknownMoods))
    lines.push(`mood without a value: ${name || '(none)'} (${count}); set it with --moods`);
  if (adjustedTimes) {
    const { skipped: gap, repeated } = adjustedTimes;
    lines.push(`times on days when the clocks change: ${gap} did not exist, ${repeated} were twice`);
  }
  return lines;
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
