import { Module, type DynamicModule, type LoggerService } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { constants } from 'node:os';
import type { CommandConfig, Config } from '../config/config.js';
import { ConfigModule } from '../config/config.module.js';
import { DatabaseModule } from '../database/database.module.js';
import { EntriesRepository } from '../entries/entries.repository.js';
import { ExportService } from '../entries/transfer/export.service.js';
import { ImportService } from '../entries/transfer/import.service.js';
import { TransferModule } from '../entries/transfer/transfer.module.js';
import type { ImportReport } from '../entries/transfer/transfer.schemas.js';
import { UsersModule } from '../users/users.module.js';
import type { EntriesCommand } from './entries-commands.js';
import { runCommand, userOf } from './run-command.js';
import { exportFile, importFile, STANDARD, type Transfer } from './transfer-files.js';

const EXIT_REFUSED_LINES = 3;
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

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

/** @returns exit code, that of the signal when one stops it */
export async function runEntriesCommand(command: EntriesCommand, config: CommandConfig): Promise<number> {
  const interruption = new AbortController();
  const interrupt = (signal: NodeJS.Signals) => interruption.abort(signal);
  for (const signal of SIGNALS) process.once(signal, interrupt);
  try {
    return await transfer(command, config, interruption.signal);
  } catch (error) {
    if (!interruption.signal.aborted) throw error;
    const reason = interruption.signal.reason as NodeJS.Signals;
    console.error(`${reason}: stopped; imported entries are kept, and the import can be repeated`);
    return 128 + constants.signals[reason];
  } finally {
    for (const signal of SIGNALS) process.off(signal, interrupt);
  }
}

function transfer(command: EntriesCommand, config: CommandConfig, signal: AbortSignal): Promise<number> {
  const createApp = () =>
    NestFactory.createApplicationContext(CommandModule.forRoot(config), { logger, abortOnError: false });
  return runCommand(config, createApp, async (app) => {
    const { id: userId, timezone } = await userOf(app, command.email);
    const { file } = command;
    const files: Transfer = { userId, file, screen: process.stderr, signal };
    if (command.action === 'export') {
      const { format } = command;
      const rows = await exportFile(app.get(ExportService), app.get(EntriesRepository), files, {
        format,
        timezone,
      });
      console.error(`exported ${rows} entries${file === STANDARD ? '' : ` to ${file}`}`);
      return 0;
    }
    const report = await importFile(app.get(ImportService), files, { timezone, ...command });
    for (const line of linesOf(report, command.dryRun)) console.log(line);
    const { failed, errors } = report;
    for (const { line, entry, message } of errors)
      console.error(`${line === undefined ? `entry ${entry}` : `line ${line}`}: ${message}`);
    if (failed > errors.length) console.error(`and ${failed - errors.length} more`);
    return failed > 0 ? EXIT_REFUSED_LINES : 0;
  });
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
