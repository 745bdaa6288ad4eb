import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { EntitySchema, NamingStrategyInterface } from 'typeorm';
import { loadCommandConfig } from '../../../src/config/config.js';
import { applyMigrations, revertNewest } from '../../../src/migrator/apply/apply-migrations.js';
import { parseAnswers } from '../../../src/migrator/generate/answers.js';
import { generateMigration, type Generated } from '../../../src/migrator/generate/generate-migration.js';
import type { MigrationSource } from '../../../src/migrator/generate/migration-source.js';
import type { MigratorOptions } from '../../../src/migrator/migrator-options.js';
import { readCatalog } from '../../../src/migrator/verify/catalog.js';
import { createDatabase, type TestDatabase } from './database.js';

const SILENT = { info: () => {}, warn: () => {} };

export type Flags = Parameters<typeof parseAnswers>[0];

/** A project of its own: a database, and a folder of migrations that are generated from entities. */
export class MigrationProject {
  private timestamp = 9_000_000_000_000;
  private constructor(
    readonly database: TestDatabase,
    readonly folder: string,
    private readonly namingStrategy: NamingStrategyInterface | undefined,
  ) {}

  static async create(namingStrategy?: NamingStrategyInterface): Promise<MigrationProject> {
    const folder = mkdtempSync(resolve('.data/generate-'));
    return new MigrationProject(await createDatabase(), folder, namingStrategy);
  }

  options(entities: readonly EntitySchema[] = []): MigratorOptions {
    const { database } = loadCommandConfig({ DATABASE_URL: this.database.url });
    return {
      database,
      migrations: this.folder,
      entities,
      ...(this.namingStrategy && { namingStrategy: this.namingStrategy }),
      lockTimeoutMs: 60_000,
      direct: true,
      release: 'test',
    };
  }

  generate(entities: readonly EntitySchema[], flags: Flags = {}): Promise<Generated> {
    this.timestamp += 1000;
    return generateMigration(this.options(entities), SILENT, {
      name: 'Edit',
      timestamp: this.timestamp,
      answers: parseAnswers(flags),
    });
  }

  /** Generates, writes the files, and applies them. */
  async migrate(entities: readonly EntitySchema[], flags: Flags = {}): Promise<Generated> {
    const generated = await this.generate(entities, flags);
    if (generated.questions.length > 0) throw new Error(JSON.stringify(generated.questions, undefined, 2));
    await this.apply(generated.migrations);
    return generated;
  }

  async apply(migrations: readonly MigrationSource[]): Promise<void> {
    this.write(migrations);
    await this.applyPending();
  }

  write(migrations: readonly MigrationSource[]): void {
    for (const { file, source } of migrations) writeFileSync(join(this.folder, file), source);
  }

  /** @returns names of the applied migrations */
  applyPending(): Promise<string[]> {
    return applyMigrations(this.options(), SILENT);
  }

  async revert(times: number): Promise<void> {
    for (let done = 0; done < times; done += 1) await revertNewest(this.options(), SILENT);
  }

  catalog(): Promise<string[]> {
    return readCatalog(async (text) => this.database.query(text));
  }

  async remove(): Promise<void> {
    await this.database.drop();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
