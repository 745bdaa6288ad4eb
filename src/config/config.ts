import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { parseEnv } from 'node:util';
import { z } from 'zod';
import {
  argon2FloorKib,
  databaseNames,
  environmentNames,
  environmentSchema,
  isGuessable,
  migrationNames,
  secretNames,
} from './config.schema.js';
import { parseDatabaseUrl, type DatabaseUrl, type SslMode } from './database-url.js';
import { parseRedisUrl } from './redis-url.js';
import { PROJECT_FOLDER } from './release.js';

/** EX_CONFIG of sysexits.h: the configuration, not the program, is at fault. */
export const EXIT_CONFIG = 78;

export type Environment = Readonly<Record<string, string | undefined>>;

export interface DatabaseConfig {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly name: string;
  readonly ssl: 'off' | 'require' | 'verify-full';
  readonly poolSize: number;
  readonly statementTimeoutMs: number;
}

export interface RedisConfig {
  readonly host: string;
  readonly port: number;
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly database: number;
  readonly tls: boolean;
}

export interface MigrationsConfig {
  readonly run: boolean;
  readonly lockTimeoutMs: number;
  /** Where migrations run and their lock is held: MIGRATIONS_DATABASE_URL, or else the application's database. */
  readonly database: DatabaseConfig;
  /** Whether it is MIGRATIONS_DATABASE_URL that says so. */
  readonly direct: boolean;
  /** Whether, and how, to back up before something is migrated. */
  readonly backup: {
    readonly run: boolean;
    readonly folder: string;
  };
}

/** The one configuration object: read once at boot, frozen, and provided by {@link ConfigModule}. */
export abstract class Config {
  abstract readonly production: boolean;
  abstract readonly http: {
    readonly host: string;
    readonly port: number;
    readonly bodyLimitBytes: number;
    readonly corsOrigins: readonly string[];
    /** As Fastify takes it: nobody, everybody, or addresses. It refuses a number of hops, which a client can forge. */
    readonly trustProxy: boolean | string;
    readonly shutdownTimeoutMs: number;
    /** Of that time, how long requests are still taken. */
    readonly shutdownDrainMs: number;
  };
  abstract readonly database: DatabaseConfig;
  abstract readonly migrations: MigrationsConfig;
  /** Undefined: cache and limits live in this process's memory. */
  abstract readonly redis: RedisConfig | undefined;
  abstract readonly jwt: {
    readonly secret: string;
    readonly previousSecret: string | undefined;
    readonly accessTtlSeconds: number;
    readonly refreshTtlSeconds: number;
  };
  abstract readonly passwords: {
    readonly memoryKib: number;
    readonly timeCost: number;
    readonly parallelism: number;
    /** How many are hashed at once. */
    readonly concurrency: number;
  };
  abstract readonly rateLimit: {
    readonly enabled: boolean;
    readonly anonymousPerMinute: number;
    readonly userPerMinute: number;
    readonly loginPerMinute: number;
  };
  abstract readonly overload: { readonly shedding: boolean };
  abstract readonly log: { readonly level: string; readonly format: 'json' | 'pretty' };
  /** Without a port of their own, they are on that of the API. */
  abstract readonly metrics: { readonly enabled: boolean; readonly port: number | undefined };
  abstract readonly docs: { readonly enabled: boolean };
}

export interface ConfigFault {
  readonly name: string;
  readonly reason: string;
}

/** Lists every fault of a configuration; the message is meant for a person, without a stack. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';

  /** The first fault of each variable. */
  readonly faults: readonly ConfigFault[];

  constructor(found: readonly ConfigFault[]) {
    const faults = found.filter(
      ({ name }, index) => found.findIndex((other) => other.name === name) === index,
    );
    super(describe(faults));
    this.faults = faults;
  }
}

/**
 * Reads the whole configuration.
 *
 * @throws {ConfigError} with every fault, not only the first
 */
export function loadConfig(env: Environment = processEnvironment()): Config {
  const given = readValues(env);
  const { faults } = given;
  const parsed = environmentSchema.safeParse(given.values);
  if (!parsed.success) {
    faults.push(
      ...faultsOf(parsed.error, given).filter(({ name }) => !databaseNames.some((its) => its === name)),
    );
  }
  refuseGuessableSecrets(given);
  refuseUnfitHashing(given);
  refuseUnfitDrain(given);
  const database = resolveDatabase(given);
  const direct = resolveDirectDatabase(given, database);
  const redis = resolveRedis(given);
  if (faults.length > 0 || !parsed.success || !database) throw new ConfigError(faults);
  const e = parsed.data;
  return deepFreeze({
    production: e.NODE_ENV === 'production',
    http: {
      host: e.HOST,
      port: e.PORT,
      bodyLimitBytes: e.BODY_LIMIT_BYTES,
      corsOrigins: e.CORS_ORIGINS,
      trustProxy: trustProxyOf(e.TRUST_PROXY),
      shutdownTimeoutMs: e.SHUTDOWN_TIMEOUT_MS,
      shutdownDrainMs: e.SHUTDOWN_DRAIN_MS,
    },
    database,
    migrations: migrationsConfig(e, database, direct),
    redis,
    jwt: {
      secret: e.JWT_SECRET,
      previousSecret: e.JWT_SECRET_PREVIOUS,
      accessTtlSeconds: e.JWT_ACCESS_TTL,
      refreshTtlSeconds: e.JWT_REFRESH_TTL,
    },
    passwords: {
      memoryKib: e.ARGON2_MEMORY_KIB,
      timeCost: e.ARGON2_TIME_COST,
      parallelism: e.ARGON2_PARALLELISM,
      concurrency: e.ARGON2_CONCURRENCY ?? hashesAtOnce(e.UV_THREADPOOL_SIZE),
    },
    rateLimit: {
      enabled: e.RATE_LIMIT_ENABLED,
      anonymousPerMinute: e.RATE_LIMIT_ANONYMOUS_PER_MINUTE,
      userPerMinute: e.RATE_LIMIT_USER_PER_MINUTE,
      loginPerMinute: e.RATE_LIMIT_LOGIN_PER_MINUTE,
    },
    overload: { shedding: e.OVERLOAD_SHEDDING },
    log: { level: e.LOG_LEVEL, format: e.LOG_FORMAT ?? (process.stdout.isTTY ? 'pretty' : 'json') },
    metrics: { enabled: e.METRICS_ENABLED, port: e.METRICS_PORT },
    docs: { enabled: e.DOCS_ENABLED },
  } satisfies Config);
}

/**
 * Reads what the TypeORM CLI and the migration commands need: no JWT secret, no Redis.
 *
 * @throws {ConfigError}
 */
export function loadMigrationsConfig(env: Environment = processEnvironment()): MigrationsConfig {
  const given = readValues(env, [...databaseNames, ...migrationNames]);
  const parsed = migrationsSchema.safeParse(given.values);
  if (!parsed.success) given.faults.push(...faultsOf(parsed.error, given));
  const database = resolveDatabase(given);
  const direct = resolveDirectDatabase(given, database);
  if (given.faults.length > 0 || !parsed.success || !database) throw new ConfigError(given.faults);
  return deepFreeze(migrationsConfig(parsed.data, database, direct));
}

/** What a command works with that is no server. */
export type CommandConfig = Pick<Config, 'database' | 'migrations'>;

/**
 * Reads what a command needs: no JWT secret, no port. It leaves migrations to those whose work they are.
 *
 * @throws {ConfigError}
 */
export function loadCommandConfig(env: Environment = processEnvironment()): CommandConfig {
  const given = readValues(env, [...databaseNames, ...migrationNames]);
  const parsed = migrationsSchema.safeParse(given.values);
  if (!parsed.success) given.faults.push(...faultsOf(parsed.error, given));
  const database = resolveDatabase(given);
  const direct = resolveDirectDatabase(given, database);
  if (given.faults.length > 0 || !parsed.success || !database) throw new ConfigError(given.faults);
  return deepFreeze({
    database,
    migrations: { ...migrationsConfig(parsed.data, database, direct), run: false },
  });
}

/**
 * The process's environment, over what `.env` beside package.json holds in development, wherever the program is started.
 * Nothing else reads `process.env`.
 *
 * @throws {ConfigError} where `.env` is there and cannot be read
 */
export function processEnvironment(folder = PROJECT_FOLDER): Environment {
  const env = process.env;
  if (env['NODE_ENV'] === 'production' || env['NODE_ENV'] === 'test') return env;
  let text: string;
  try {
    text = readFileSync(join(folder, '.env'), 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return env;
    throw new ConfigError([{ name: join(folder, '.env'), reason: `cannot be read (${code})` }]);
  }
  // What libuv reads by itself: there it would count for nothing, and must not be taken for true here.
  return { ...parseEnv(text), UV_THREADPOOL_SIZE: undefined, ...env };
}

/** For a program that the service starts: what finds it, and none of the service's own settings and secrets. */
export function programEnvironment(settings: Readonly<Record<string, string>>): NodeJS.ProcessEnv {
  const { PATH, HOME } = process.env;
  return { PATH, HOME, ...settings };
}

interface Given {
  readonly values: Readonly<Record<string, string>>;
  /** Those whose `NAME_FILE` gave nothing: that is told, and not that they are missing as well. */
  readonly unread: ReadonlySet<string>;
  /** Added to as the values are looked at. */
  readonly faults: ConfigFault[];
}

/** Takes what is set (an empty value counts as not set) and reads `NAME_FILE` where a secret is given so. */
function readValues(env: Environment, names: readonly string[] = environmentNames): Given {
  const values: Record<string, string> = {};
  const unread = new Set<string>();
  const faults: ConfigFault[] = [];
  for (const name of names) {
    const value = env[name];
    if (value !== undefined && value !== '') values[name] = value;
  }
  for (const name of secretNames.filter((secret) => names.includes(secret))) {
    const file = env[`${name}_FILE`];
    if (file === undefined || file === '') continue;
    if (values[name] !== undefined) {
      faults.push({ name: `${name}_FILE`, reason: `is set, and so is ${name}: give one of the two` });
      continue;
    }
    const read = readSecret(file);
    if ('value' in read) {
      values[name] = read.value;
    } else {
      unread.add(name);
      faults.push({ name: `${name}_FILE`, reason: read.reason });
    }
  }
  return { values, unread, faults };
}

function readSecret(file: string): { readonly value: string } | { readonly reason: string } {
  try {
    const value = readFileSync(file, 'utf8').replace(/\r?\n$/, '');
    return value === '' ? { reason: 'names an empty file' } : { value };
  } catch (error) {
    return { reason: `cannot be read (${(error as NodeJS.ErrnoException).code})` };
  }
}

function faultsOf(error: z.ZodError, { values, unread }: Given): ConfigFault[] {
  return error.issues
    .map((issue) => ({ name: String(issue.path[0]), reason: issue.message }))
    .filter(({ name }) => !unread.has(name))
    .map((fault) => (values[fault.name] === undefined ? { ...fault, reason: 'is missing' } : fault));
}

/** Not a refinement of the schema: zod leaves those out where another variable is at fault. */
function refuseGuessableSecrets({ values, faults }: Given): void {
  if (values['NODE_ENV'] !== 'production') return;
  for (const name of ['JWT_SECRET', 'JWT_SECRET_PREVIOUS'] as const) {
    const value = values[name];
    if (value === undefined || !isGuessable(value)) continue;
    faults.push({ name, reason: 'is a known or guessable value, refused in production' });
  }
}

/** Weak parameters in production, and hashes that would take every thread. Values that are no numbers are told already. */
function refuseUnfitHashing({ values, faults }: Given): void {
  const parsed = hashingSchema.safeParse(values);
  if (!parsed.success) return;
  const { ARGON2_MEMORY_KIB, ARGON2_TIME_COST, ARGON2_CONCURRENCY, UV_THREADPOOL_SIZE } = parsed.data;
  const floor = argon2FloorKib(ARGON2_TIME_COST);
  if (values['NODE_ENV'] === 'production' && ARGON2_MEMORY_KIB < floor) {
    faults.push({
      name: 'ARGON2_MEMORY_KIB',
      reason: `must be ${floor} or more in production, with an ARGON2_TIME_COST of ${ARGON2_TIME_COST}`,
    });
  }
  if (ARGON2_CONCURRENCY !== undefined && ARGON2_CONCURRENCY >= UV_THREADPOOL_SIZE) {
    faults.push({
      name: 'ARGON2_CONCURRENCY',
      reason: `must be less than UV_THREADPOOL_SIZE, which is ${UV_THREADPOOL_SIZE}`,
    });
  }
}

/** A drain that leaves no time to finish in. */
function refuseUnfitDrain({ values, faults }: Given): void {
  const parsed = shutdownSchema.safeParse(values);
  if (!parsed.success) return;
  const { SHUTDOWN_DRAIN_MS, SHUTDOWN_TIMEOUT_MS } = parsed.data;
  if (SHUTDOWN_DRAIN_MS === 0 || SHUTDOWN_DRAIN_MS < SHUTDOWN_TIMEOUT_MS) return;
  faults.push({
    name: 'SHUTDOWN_DRAIN_MS',
    reason: `must be less than SHUTDOWN_TIMEOUT_MS, which is ${SHUTDOWN_TIMEOUT_MS}`,
  });
}

/** A processor is left to the event loop, and a thread of the pool to files and DNS. */
function hashesAtOnce(threads: number): number {
  return Math.max(1, Math.min(availableParallelism(), threads) - 1);
}

const hashingSchema = environmentSchema.pick({
  ARGON2_MEMORY_KIB: true,
  ARGON2_TIME_COST: true,
  ARGON2_CONCURRENCY: true,
  UV_THREADPOOL_SIZE: true,
});

const shutdownSchema = environmentSchema.pick({ SHUTDOWN_DRAIN_MS: true, SHUTDOWN_TIMEOUT_MS: true });

const databaseSchema = z.object(pickDatabaseShape());
type DatabaseParts = z.infer<typeof databaseSchema>;

function pickDatabaseShape() {
  const { DB_HOST, DB_PORT, DB_USER, DB_PASSWORD, DB_NAME, DB_SSL, DB_POOL_SIZE, DB_STATEMENT_TIMEOUT_MS } =
    environmentSchema.shape;
  return { DB_HOST, DB_PORT, DB_USER, DB_PASSWORD, DB_NAME, DB_SSL, DB_POOL_SIZE, DB_STATEMENT_TIMEOUT_MS };
}

const migrationsSchema = environmentSchema.pick({
  MIGRATIONS_RUN: true,
  MIGRATIONS_LOCK_TIMEOUT_MS: true,
  MIGRATIONS_BACKUP: true,
  BACKUP_FOLDER: true,
});

function migrationsConfig(
  e: z.infer<typeof migrationsSchema>,
  database: DatabaseConfig,
  direct: DatabaseConfig | undefined,
): MigrationsConfig {
  return {
    run: e.MIGRATIONS_RUN,
    lockTimeoutMs: e.MIGRATIONS_LOCK_TIMEOUT_MS,
    database: direct ?? database,
    direct: direct !== undefined,
    backup: { run: e.MIGRATIONS_BACKUP, folder: e.BACKUP_FOLDER },
  };
}

/** The same database by another way: what is no part of a URL is as for the application. */
function resolveDirectDatabase(
  { values, faults }: Given,
  database: DatabaseConfig | undefined,
): DatabaseConfig | undefined {
  const text = values['MIGRATIONS_DATABASE_URL'];
  if (text === undefined) return undefined;
  const url = parsedOrFault('MIGRATIONS_DATABASE_URL', () => parseDatabaseUrl(text), faults);
  if (!url || !database) return undefined;
  return {
    ...database,
    host: url.host,
    port: url.port ?? 5432,
    user: url.user ?? 'postgres',
    password: url.password ?? '',
    name: url.name,
    ssl: url.sslmode === undefined ? database.ssl : sslOf(url.sslmode),
  };
}

function resolveDatabase(given: Given): DatabaseConfig | undefined {
  const { values, unread, faults } = given;
  const parsed = databaseSchema.safeParse(values);
  if (!parsed.success) faults.push(...faultsOf(parsed.error, given));
  const text = values['DATABASE_URL'];
  if (text === undefined && values['DB_HOST'] === undefined && !unread.has('DATABASE_URL')) {
    faults.push({ name: 'DATABASE_URL', reason: 'is missing, and so is DB_HOST: give one of the two' });
  }
  const url =
    text === undefined ? undefined : parsedOrFault('DATABASE_URL', () => parseDatabaseUrl(text), faults);
  if (!parsed.success) return undefined;
  const parts = parsed.data;
  if (url) return ofDatabaseUrl(url, parts, faults);
  if (parts.DB_HOST === undefined) return undefined;
  return {
    host: parts.DB_HOST,
    port: parts.DB_PORT ?? 5432,
    user: parts.DB_USER ?? 'postgres',
    password: parts.DB_PASSWORD ?? '',
    name: parts.DB_NAME ?? parts.DB_USER ?? 'postgres',
    ssl: parts.DB_SSL ?? 'off',
    ...limitsOf(parts),
  };
}

function ofDatabaseUrl(url: DatabaseUrl, parts: DatabaseParts, faults: ConfigFault[]): DatabaseConfig {
  const ssl = sslOf(url.sslmode);
  refuseDifferences('DATABASE_URL', faults, {
    DB_HOST: [parts.DB_HOST, url.host],
    DB_PORT: [parts.DB_PORT, url.port ?? 5432],
    DB_USER: [parts.DB_USER, url.user ?? 'postgres'],
    DB_PASSWORD: [parts.DB_PASSWORD, url.password ?? ''],
    DB_NAME: [parts.DB_NAME, url.name],
    DB_SSL: [parts.DB_SSL, url.sslmode === undefined ? parts.DB_SSL : ssl],
  });
  return {
    host: url.host,
    port: url.port ?? 5432,
    user: url.user ?? 'postgres',
    password: url.password ?? '',
    name: url.name,
    ssl: url.sslmode === undefined ? (parts.DB_SSL ?? 'off') : ssl,
    ...limitsOf(parts),
  };
}

function limitsOf(parts: DatabaseParts): Pick<DatabaseConfig, 'poolSize' | 'statementTimeoutMs'> {
  return { poolSize: parts.DB_POOL_SIZE, statementTimeoutMs: parts.DB_STATEMENT_TIMEOUT_MS };
}

/** libpq's sslmode, https://www.postgresql.org/docs/current/libpq-ssl.html; never weaker than what was asked. */
function sslOf(mode: SslMode | undefined): DatabaseConfig['ssl'] {
  if (mode === undefined || mode === 'disable') return 'off';
  return mode === 'verify-full' || mode === 'verify-ca' ? 'verify-full' : 'require';
}

function resolveRedis({ values, unread, faults }: Given): RedisConfig | undefined {
  const { REDIS_URL: text, REDIS_HOST: host, REDIS_PORT: port, REDIS_PASSWORD: password } = values;
  if (text !== undefined) {
    const url = parsedOrFault('REDIS_URL', () => parseRedisUrl(text), faults);
    if (!url) return undefined;
    refuseDifferences('REDIS_URL', faults, {
      REDIS_HOST: [host, url.host],
      REDIS_PORT: [port === undefined ? undefined : Number(port), url.port],
      REDIS_PASSWORD: [password, url.password],
    });
    return url;
  }
  if (host === undefined) {
    if (unread.has('REDIS_URL')) return undefined;
    for (const name of ['REDIS_PORT', 'REDIS_PASSWORD'] as const) {
      if (values[name] !== undefined) faults.push({ name, reason: 'is set, but REDIS_HOST is not' });
    }
    return undefined;
  }
  return { host, port: Number(port ?? 6379), username: undefined, password, database: 0, tls: false };
}

function parsedOrFault<T>(name: string, parse: () => T, faults: ConfigFault[]): T | undefined {
  try {
    return parse();
  } catch (error) {
    faults.push({ name, reason: (error as Error).message });
    return undefined;
  }
}

/** Two forms of one setting: a value given in both must be the same. */
function refuseDifferences(
  url: string,
  faults: ConfigFault[],
  pairs: Readonly<Record<string, readonly [part: unknown, inUrl: unknown]>>,
): void {
  for (const [name, [part, inUrl]] of Object.entries(pairs)) {
    if (part !== undefined && part !== inUrl) {
      faults.push({ name, reason: `differs from what ${url} says: give one of the two` });
    }
  }
}

function trustProxyOf(value: string): boolean | string {
  if (value === 'off' || value === 'false') return false;
  if (value === 'on' || value === 'true') return true;
  return value;
}

function describe(faults: readonly ConfigFault[]): string {
  const lines = faults.map(({ name, reason }) => {
    const meta = metaOf(name.replace(/_FILE$/, ''));
    return `  ${name} ${reason}${meta ? `\n      ${meta.description}; for example ${name.endsWith('_FILE') ? `${name}=/run/secrets/${name.toLowerCase().replace(/_file$/, '')}` : `${name}=${meta.example}`}` : ''}`;
  });
  return `The configuration has ${faults.length === 1 ? 'a fault' : `${faults.length} faults`}:\n${lines.join('\n')}`;
}

function metaOf(name: string): { description: string; example: string } | undefined {
  const shape: Readonly<Record<string, z.ZodType>> = environmentSchema.shape;
  return shape[name]?.meta() as { description: string; example: string } | undefined;
}

function deepFreeze<T extends object>(value: T): T {
  for (const inner of Object.values(value))
    if (typeof inner === 'object' && inner !== null) deepFreeze(inner as object);
  return Object.freeze(value);
}
