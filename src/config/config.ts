import { availableParallelism } from 'node:os';
import { commandSchema, environmentSchema, type CommandVariables, type Variables } from './config.schema.js';
import { readEnvironment, type Environment } from './environment.js';
import { validate } from './validate.js';

export { ConfigError, EXIT_CONFIG } from './config-error.js';
export { readEnvironment, type Environment } from './environment.js';

/** The configuration: read once at start, frozen, and injected by this class. */
export class Config extends (class {} as new () => Frozen<ReturnType<typeof toConfig>>) {}

type Frozen<T> = { readonly [Key in keyof T]: Frozen<T[Key]> };

/** What commands without HTTP use. */
export type CommandConfig = Pick<Config, 'database' | 'migrations'>;
export type DatabaseConfig = Config['database'];
export type MigrationsConfig = Config['migrations'];

/** @throws {ConfigError} with every fault */
export function loadConfig(environment: Environment = readEnvironment()): Config {
  return deepFreeze(toConfig(validate(environmentSchema, environment)));
}

/** @throws {ConfigError} with every fault of what commands use: not of the JWT secret, of a port, or of Redis */
export function loadCommandConfig(environment: Environment = readEnvironment()): CommandConfig {
  return deepFreeze(toCommandConfig(validate(commandSchema, environment)));
}

/** @throws {ConfigError} */
export function loadMigrationsConfig(environment?: Environment): MigrationsConfig {
  return loadCommandConfig(environment).migrations;
}

function toCommandConfig(e: CommandVariables) {
  const database = {
    host: e.DB_HOST ?? '',
    port: e.DB_PORT,
    user: e.DB_USER,
    password: e.DB_PASSWORD,
    name: e.DB_NAME ?? e.DB_USER,
    ssl: e.DB_SSL,
    ...e.DATABASE_URL,
    poolSize: e.DB_POOL_SIZE,
    statementTimeoutMs: e.DB_STATEMENT_TIMEOUT_MS,
  };
  const migrations = {
    run: e.MIGRATIONS_RUN,
    lockTimeoutMs: e.MIGRATIONS_LOCK_TIMEOUT_MS,
    database: { ...database, ...e.MIGRATIONS_DATABASE_URL },
    direct: e.MIGRATIONS_DATABASE_URL !== undefined,
    backup: { run: e.MIGRATIONS_BACKUP, folder: e.BACKUP_FOLDER },
  };
  return { database, migrations };
}

function toConfig(e: Variables) {
  const redis = { host: e.REDIS_HOST, port: e.REDIS_PORT, password: e.REDIS_PASSWORD };
  return {
    ...toCommandConfig(e),
    http: {
      host: e.HOST,
      port: e.PORT,
      bodyLimitBytes: e.BODY_LIMIT_BYTES,
      corsOrigins: e.CORS_ORIGINS,
      trustProxy: e.TRUST_PROXY,
      shutdownTimeoutMs: e.SHUTDOWN_TIMEOUT_MS,
      shutdownDrainMs: e.SHUTDOWN_DRAIN_MS,
    },
    redis:
      e.REDIS_URL ?? (redis.host ? { ...redis, username: undefined, database: 0, tls: false } : undefined),
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
      // A processor is left to the event loop, and a thread to files and DNS.
      concurrency:
        e.ARGON2_CONCURRENCY ?? Math.max(1, Math.min(availableParallelism(), e.UV_THREADPOOL_SIZE) - 1),
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
  };
}

function deepFreeze<T>(value: T): Frozen<T> {
  if (typeof value === 'object' && value !== null) Object.values(value).forEach(deepFreeze);
  return Object.freeze(value);
}
