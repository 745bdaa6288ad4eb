import { spawn } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join, resolve } from 'node:path';
import { expect } from '@jest/globals';
import type { BuildCopy } from '../programs/build-copy.js';
import { createDatabase, createMigratedDatabase, onServer, type TestDatabase } from './database.js';
import { postgresClient } from '../servers/postgres-programs.js';
import { Program } from '../programs/program.js';

const ROOT = resolve(import.meta.dirname, '../../..');

const MIGRATION = '[A-Za-z]+\\d{13}';

/** What scripts/backup prints of a file. */
export const BACKUP_SUMMARY = `release \\d+\\.\\d+\\.\\d+, migration ${MIGRATION}`;

/** The name of a file of scripts/backup. */
export const BACKUP_NAME = new RegExp(
  `^test_[0-9a-f]+-\\d{8}T\\d{6}Z-release-\\d+\\.\\d+\\.\\d+-${MIGRATION}\\.dump$`,
);

/** The name of a file that was made before a migration. */
export const BACKUP_BEFORE_NAME = /-before-\d+\.\d+\.\d+-\w+\.dump$/;

export interface Result {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

type Environment = Readonly<Record<string, string>>;

const pathWith = (...folders: readonly (string | undefined)[]) =>
  [...folders, postgresClient, process.env['PATH']].join(delimiter);

/** An empty database and an empty folder of backups for one test, and the scripts that work with them. */
export class Backups {
  private readonly others: TestDatabase[] = [];

  private constructor(
    readonly database: TestDatabase,
    readonly folder: string,
  ) {}

  static async create(): Promise<Backups> {
    return new Backups(await createDatabase(), mkdtempSync(join(tmpdir(), 'entries-backup-')));
  }

  /** Also drops the databases that a restore has replaced. */
  async remove(): Promise<void> {
    for (const other of this.others) await other.drop();
    for (const { name } of await onServer<{ name: string }>(
      `SELECT datname AS name FROM pg_database WHERE datname LIKE '${this.database.name}\\_%'`,
    )) {
      await onServer(`DROP DATABASE "${name}" WITH (FORCE)`);
    }
    await this.database.drop();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** Copies schema and rows of another database into the one of this test. */
  async copyFrom(template: TestDatabase): Promise<void> {
    await onServer(`DROP DATABASE ${this.database.name} WITH (FORCE)`);
    await onServer(`CREATE DATABASE ${this.database.name} TEMPLATE ${template.name}`);
  }

  async anotherDatabase(): Promise<TestDatabase> {
    const other = await createDatabase();
    this.others.push(other);
    return other;
  }

  /** Names of the backups, in order. */
  files(): string[] {
    return readdirSync(this.folder)
      .filter((name) => name.endsWith('.dump'))
      .sort();
  }

  unfinished(): string[] {
    return readdirSync(this.folder).filter((name) => name.endsWith('.part'));
  }

  /** Starts a program of scripts/ with these variables, and no other but PATH. */
  start(script: string, args: readonly string[] = [], environment: Environment = {}): Program {
    const env = { PATH: pathWith(), ...environment };
    return new Program(
      spawn(join(ROOT, 'scripts', script), args, { env, stdio: ['ignore', 'pipe', 'pipe'] }),
    );
  }

  /** Runs a program of scripts/ for a database, configured as the compose service is. */
  run(
    script: string,
    args: readonly string[] = [],
    environment: Environment = {},
    url = this.database.url,
  ): Promise<Result> {
    return resultOf(this.start(script, args, { ...this.settings(url), ...environment }));
  }

  /** libpq's settings, as the compose service has them. */
  settings(url = this.database.url): Environment {
    const { hostname, port, username, password, pathname } = new URL(url);
    return {
      DATABASE_SETTINGS: 'libpq',
      PGHOST: hostname,
      PGPORT: port,
      PGUSER: decodeURIComponent(username),
      PGPASSWORD: decodeURIComponent(password),
      PGDATABASE: pathname.slice(1),
      BACKUP_FOLDER: this.folder,
    };
  }

  /** Replaces a program of PostgreSQL by a shell script, in which `$real` is the program. */
  replaceProgram(program: string, script: string): Environment {
    const bin = join(this.folder, 'bin');
    mkdirSync(bin, { recursive: true });
    writeFileSync(join(bin, program), `#!/bin/sh\nreal=${join(postgresClient!, program)}\n${script}\n`);
    chmodSync(join(bin, program), 0o755);
    return { PATH: pathWith(bin) };
  }
}

/** Runs `migrate up` of a build, by default of the bundle. */
export function migrate(url: string, build?: BuildCopy, environment: Environment = {}): Promise<Result> {
  const program = join(dirname(build?.program ?? process.env['TEST_PROGRAM']!), 'database/migrate.js');
  const env = { PATH: pathWith(), NODE_ENV: 'test', DATABASE_URL: url, ...environment };
  return resultOf(
    new Program(spawn(process.execPath, [program, 'up'], { env, stdio: ['ignore', 'pipe', 'pipe'] })),
  );
}

/** Gives an empty database the schema, and rows that a careless copy would change. */
export async function fill(empty: Pick<TestDatabase, 'url' | 'query'>): Promise<void> {
  expect(await migrate(empty.url)).toMatchObject({ code: 0 });
  await insertRows(empty);
}

async function insertRows({ query }: Pick<TestDatabase, 'query'>): Promise<void> {
  await query(
    `INSERT INTO users (id, email, password_hash)
     SELECT gen_random_uuid(), 'user' || n || '@example.org', 'hash' FROM generate_series(1, 5) n`,
  );
  await query(
    `INSERT INTO entries (id, user_id, text, search_text, mood, tags)
     SELECT gen_random_uuid(), u.id, t.text || n, lower(t.text || n), 1 + n % 10, ARRAY['a "tag"', 'back\\slash', n::text]
       FROM users u, generate_series(1, 20) n,
            (VALUES (E'tab\\t, line\\n, \\\\. and \\\\N'), ('Grüße, 你好, 🙂'), (repeat('long ', 1000)), ('')) t (text)`,
  );
  await query(
    `INSERT INTO sessions (id, user_id, refresh_token_hash, expires_at)
     SELECT gen_random_uuid(), id, '\\x00ff5c0a'::bytea, now() FROM users`,
  );
}

/** A database with the schema and the rows of {@link fill}, to copy from. */
export async function createFilledDatabase(): Promise<TestDatabase> {
  const database = await createMigratedDatabase();
  await insertRows(database);
  return database;
}

async function resultOf(program: Program): Promise<Result> {
  const { code } = await program.exited;
  return { code, stdout: program.stdout, stderr: program.stderr };
}
