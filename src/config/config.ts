import { availableParallelism } from 'node:os';
import { commandSchema, environmentSchema, type CommandVariables, type Variables } from './config.schema.js';
import { readEnvironment, type Environment } from './environment.js';
import { validate } from './validate.js';

export { ConfigError, EXIT_CONFIG } from './config-error.js';
export { readEnvironment, type Environment } from './environment.js';

/** The variables by their names; `database`, `migrationsDatabase`, `redis` and `smtp` instead of their URLs and parts. Frozen. */
export class Config extends (class {} as new () => Frozen<ReturnType<typeof toConfig>>) {}

/** What commands without HTTP use. */
export type CommandConfig = Frozen<ReturnType<typeof toCommandConfig<CommandVariables>>>;
export type DatabaseConfig = CommandConfig['database'];

type Frozen<T> = { readonly [Key in keyof T]: Frozen<T[Key]> };

/** @throws {ConfigError} with every fault */
export function loadConfig(environment: Environment = readEnvironment()): Config {
  return deepFreeze(toConfig(validate(environmentSchema, environment)));
}

/** @throws {ConfigError} with every fault of what commands use: not of the JWT secret, of a port, or of Redis */
export function loadCommandConfig(environment: Environment = readEnvironment()): CommandConfig {
  return deepFreeze(toCommandConfig(validate(commandSchema, environment)));
}

function toCommandConfig<Values extends CommandVariables>(values: Values) {
  const {
    DATABASE_URL,
    DB_HOST: host = '',
    DB_PORT: port,
    DB_USER: user,
    DB_PASSWORD: password,
    DB_NAME: name = user,
    DB_SSL: ssl,
    DB_POOL_SIZE: poolSize,
    DB_STATEMENT_TIMEOUT_MS: statementTimeoutMs,
    MIGRATIONS_DATABASE_URL: direct,
    ...others
  } = values;
  const database = { host, port, user, password, name, ssl, ...DATABASE_URL, poolSize, statementTimeoutMs };
  return {
    ...others,
    database,
    migrationsDatabase: { ...database, ...direct, direct: direct !== undefined },
  };
}

function toConfig(values: Variables) {
  const {
    REDIS_URL,
    REDIS_HOST: host,
    REDIS_PORT: port,
    REDIS_PASSWORD: password,
    SMTP_URL: smtp,
    ...others
  } = values;
  const redis = host ? { host, port, username: undefined, password, database: 0, tls: false } : undefined;
  return {
    ...toCommandConfig(others),
    redis: REDIS_URL ?? redis,
    smtp,
    PUBLIC_URL: values.PUBLIC_URL ?? `http://localhost:${values.PORT}`,
    LOG_FORMAT: values.LOG_FORMAT ?? (process.stdout.isTTY ? 'pretty' : 'json'),
    // A processor is left to the event loop, and a thread to files and DNS.
    ARGON2_CONCURRENCY:
      values.ARGON2_CONCURRENCY ??
      Math.max(1, Math.min(availableParallelism(), values.UV_THREADPOOL_SIZE) - 1),
  };
}

function deepFreeze<T>(value: T): Frozen<T> {
  if (typeof value === 'object' && value !== null) Object.values(value).forEach(deepFreeze);
  return Object.freeze(value);
}
