import { isIP } from 'node:net';
import { z } from 'zod';

/** Secrets that anyone can look up: refused when NODE_ENV=production. */
const KNOWN_SECRETS = new Set([
  'supersecretkey',
  'changeme',
  'secret',
  'jwt-secret',
  'your-256-bit-secret',
  'an-example-secret-of-32-bytes-or-more',
]);

/** RFC 7518 §3.2: a key for HS256 has at least the size of the hash output, 256 bits. */
const JWT_SECRET_MIN_BYTES = 32;

const SECONDS = { s: 1, m: 60, h: 3600, d: 86_400 } as const;

function integer(min: number, max: number) {
  return z
    .string()
    .regex(/^\d{1,15}$/, `must be a whole number from ${min} to ${max}`)
    .transform(Number)
    .pipe(
      z
        .number()
        .min(min, `must be a whole number from ${min} to ${max}`)
        .max(max, `must be a whole number from ${min} to ${max}`),
    );
}

const boolean = z.stringbool({
  truthy: ['true', '1', 'yes', 'on'],
  falsy: ['false', '0', 'no', 'off'],
  error: 'must be true or false',
});

/** `15m` → 900: a duration in whole seconds, at least one. */
const duration = z
  .string()
  .regex(/^[1-9]\d{0,6}[smhd]$/, 'must be a number and a unit: s, m, h or d')
  .transform((text) => Number(text.slice(0, -1)) * SECONDS[text.slice(-1) as keyof typeof SECONDS]);

const secret = z
  .string()
  .refine(
    (value) => Buffer.byteLength(value) >= JWT_SECRET_MIN_BYTES,
    `must have ${JWT_SECRET_MIN_BYTES} bytes or more`,
  );

function isOrigin(value: string): boolean {
  return URL.canParse(value) && new URL(value).origin === value;
}

/** `10.0.0.1`, `10.0.0.0/8`, `fd00::/8`: what Fastify takes for a proxy's address. It throws on anything else. */
function isAddressOrNetwork(value: string): boolean {
  const [address = '', prefix, ...rest] = value.split('/');
  const version = isIP(address);
  if (version === 0 || rest.length > 0) return false;
  return (
    prefix === undefined || (/^[1-9]\d{0,2}$/.test(prefix) && Number(prefix) <= (version === 4 ? 32 : 128))
  );
}

/**
 * Every environment variable that the service reads: one line each, with its meaning and an example, which the
 * fault list at boot prints. README.md and .env.example list the same names; config.spec.ts compares them.
 */
export const environmentSchema = z.object({
  NODE_ENV: z
    .enum(['development', 'production', 'test'], 'must be development, production or test')
    .default('development')
    .meta({ description: 'production refuses weak secrets and does not read .env', example: 'production' }),

  PORT: integer(0, 65_535)
    .default(8080)
    .meta({ description: 'TCP port; 0 takes a free one', example: '8080' }),
  HOST: z.string().default('0.0.0.0').meta({ description: 'address to listen on', example: '127.0.0.1' }),

  DATABASE_URL: z.string().optional().meta({
    description: 'PostgreSQL, as a URL',
    example: 'postgres://entries:password@localhost:5432/entries',
  }),
  DB_HOST: z
    .string()
    .optional()
    .meta({ description: 'PostgreSQL host, instead of DATABASE_URL', example: 'localhost' }),
  DB_PORT: integer(1, 65_535).optional().meta({ description: 'PostgreSQL port (5432)', example: '5432' }),
  DB_USER: z.string().optional().meta({ description: 'PostgreSQL user', example: 'entries' }),
  DB_PASSWORD: z
    .string()
    .optional()
    .meta({ description: 'PostgreSQL password, as it is', example: 'p@ss:w/rd?#%' }),
  DB_NAME: z.string().optional().meta({ description: 'PostgreSQL database', example: 'entries' }),
  DB_SSL: z.enum(['off', 'require', 'verify-full'], 'must be off, require or verify-full').optional().meta({
    description: 'TLS to PostgreSQL: off, require (no check of the certificate) or verify-full',
    example: 'verify-full',
  }),
  DB_POOL_SIZE: integer(1, 1000).default(10).meta({ description: 'connections held at most', example: '10' }),
  DB_STATEMENT_TIMEOUT_MS: integer(1, 3_600_000)
    .default(10_000)
    .meta({ description: 'a statement that runs longer is cancelled, ms', example: '10000' }),

  MIGRATIONS_RUN: boolean
    .default(true)
    .meta({ description: 'apply pending migrations on boot', example: 'true' }),
  MIGRATIONS_DATABASE_URL: z.string().optional().meta({
    description: 'the direct way to PostgreSQL, for migrations, where DATABASE_URL leads to a pooler',
    example: 'postgres://entries:password@localhost:5432/entries',
  }),
  MIGRATIONS_LOCK_TIMEOUT_MS: integer(1, 86_400_000)
    .default(120_000)
    .meta({ description: 'how long to wait while another process migrates, ms', example: '120000' }),
  MIGRATIONS_BACKUP: boolean
    .default(false)
    .meta({ description: 'back the database up before it is migrated', example: 'true' }),
  BACKUP_FOLDER: z
    .string()
    .default('backups')
    .meta({ description: 'where scripts/backup puts backups', example: '/var/backups/entries' }),

  REDIS_URL: z.string().optional().meta({
    description: 'Redis, as a URL; without any, cache and limits are in memory',
    example: 'redis://localhost:6379',
  }),
  REDIS_HOST: z
    .string()
    .optional()
    .meta({ description: 'Redis host, instead of REDIS_URL', example: 'localhost' }),
  REDIS_PORT: integer(1, 65_535).optional().meta({ description: 'Redis port (6379)', example: '6379' }),
  REDIS_PASSWORD: z.string().optional().meta({ description: 'Redis password', example: 'a-password' }),

  JWT_SECRET: secret.meta({
    description: `signs access tokens, ${JWT_SECRET_MIN_BYTES} bytes or more; openssl rand -base64 48 makes one`,
    example: 'an-example-secret-of-32-bytes-or-more',
  }),
  JWT_SECRET_PREVIOUS: secret.optional().meta({
    description: 'the secret before this one: still verifies, never signs',
    example: 'the-secret-that-was-in-use-until-now',
  }),
  JWT_ACCESS_TTL: duration.default(900).meta({ description: 'life of an access token', example: '15m' }),
  JWT_REFRESH_TTL: duration
    .default(2_592_000)
    .meta({ description: 'life of a session without a refresh', example: '30d' }),

  ARGON2_MEMORY_KIB: integer(1024, 4_194_304)
    .default(19_456)
    .meta({ description: 'memory that hashing a password takes, KiB', example: '19456' }),
  ARGON2_TIME_COST: integer(1, 100).default(2).meta({ description: 'passes over that memory', example: '2' }),
  ARGON2_PARALLELISM: integer(1, 16)
    .default(1)
    .meta({ description: 'lanes that the memory is divided into', example: '1' }),
  ARGON2_CONCURRENCY: integer(1, 1023).optional().meta({
    description: 'passwords hashed at once: fewer than processors, and than UV_THREADPOOL_SIZE, unless told',
    example: '2',
  }),
  UV_THREADPOOL_SIZE: integer(2, 1024).default(4).meta({
    description: "threads that Node has for hashing, files and DNS: Node's own variable",
    example: '4',
  }),

  RATE_LIMIT_ENABLED: boolean.default(true).meta({ description: 'limit requests', example: 'true' }),
  RATE_LIMIT_ANONYMOUS_PER_MINUTE: integer(1, 1_000_000)
    .default(100)
    .meta({ description: 'requests an IP address may make without a token', example: '100' }),
  RATE_LIMIT_USER_PER_MINUTE: integer(1, 1_000_000)
    .default(1000)
    .meta({ description: 'requests a signed-in user may make', example: '1000' }),
  RATE_LIMIT_LOGIN_PER_MINUTE: integer(1, 1_000_000)
    .default(10)
    .meta({ description: 'logins tried for one IP address and e-mail', example: '10' }),

  TRUST_PROXY: z
    .string()
    .default('off')
    .transform((value) => value.trim().toLowerCase())
    .refine(
      (value) =>
        ['off', 'false', 'on', 'true'].includes(value) ||
        value.split(',').every((part) => isAddressOrNetwork(part.trim())),
      'must be off, on, or addresses and networks',
    )
    .meta({
      description: 'whose X-Forwarded-For to believe: off, on (everybody), or addresses and networks',
      example: '10.0.0.0/8',
    }),
  CORS_ORIGINS: z
    .string()
    .default('')
    .transform((value) =>
      value
        .split(',')
        .map((origin) => origin.trim())
        .filter(Boolean),
    )
    .refine(
      (origins) => origins.every(isOrigin),
      'must be origins such as https://app.example.org, comma-separated',
    )
    .meta({
      description: 'browser origins allowed to call, comma-separated',
      example: 'https://app.example.org',
    }),
  BODY_LIMIT_BYTES: integer(1024, 1_073_741_824)
    .default(1_048_576)
    .meta({ description: 'size of a request body at most, bytes', example: '1048576' }),
  SHUTDOWN_TIMEOUT_MS: integer(1, 3_600_000)
    .default(10_000)
    .meta({ description: 'after SIGTERM, what is still open is cut off, ms', example: '10000' }),
  SHUTDOWN_DRAIN_MS: integer(0, 3_600_000).default(0).meta({
    description: 'after SIGTERM, how long requests are still taken while /health says 503, ms',
    example: '2500',
  }),

  LOG_LEVEL: z
    .enum(
      ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'],
      'must be fatal, error, warn, info, debug, trace or silent',
    )
    .default('info')
    .meta({ description: 'fatal, error, warn, info, debug, trace or silent', example: 'info' }),
  LOG_FORMAT: z
    .enum(['json', 'pretty'], 'must be json or pretty')
    .optional()
    .meta({ description: 'json or pretty; without it, pretty on a terminal', example: 'json' }),

  OVERLOAD_SHEDDING: boolean.default(true).meta({
    description: 'answer 503 to what would only wait: see docs/reliability.md',
    example: 'true',
  }),

  METRICS_ENABLED: boolean.default(true).meta({ description: 'serve /metrics', example: 'true' }),
  METRICS_PORT: integer(0, 65_535)
    .optional()
    .meta({ description: 'serve /metrics on this port of HOST, and no longer on PORT', example: '9464' }),
  DOCS_ENABLED: boolean.default(true).meta({ description: 'serve /docs and /openapi.json', example: 'true' }),
});

/**
 * Memory, KiB, that argon2id needs at least with so many passes: OWASP Password Storage Cheat Sheet,
 * https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html
 */
const ARGON2_FLOORS_KIB = [47_104, 19_456, 12_288, 9216, 7168] as const;

/** @param timeCost passes, 1 or more */
export function argon2FloorKib(timeCost: number): number {
  return ARGON2_FLOORS_KIB[Math.min(timeCost, ARGON2_FLOORS_KIB.length) - 1] ?? ARGON2_FLOORS_KIB[0];
}

/** Also what is long enough, but has fewer than 8 characters that differ. */
export function isGuessable(jwtSecret: string): boolean {
  return KNOWN_SECRETS.has(jwtSecret) || new Set(jwtSecret).size < 8;
}

export type EnvironmentName = keyof typeof environmentSchema.shape;
export const environmentNames = Object.keys(environmentSchema.shape) as EnvironmentName[];

/** Variables whose value may be read from the file named by `NAME_FILE` (Docker and Kubernetes secrets). */
export const secretNames = [
  'DATABASE_URL',
  'MIGRATIONS_DATABASE_URL',
  'DB_PASSWORD',
  'REDIS_URL',
  'REDIS_PASSWORD',
  'JWT_SECRET',
  'JWT_SECRET_PREVIOUS',
] as const satisfies readonly EnvironmentName[];

export const migrationNames = [
  'MIGRATIONS_RUN',
  'MIGRATIONS_DATABASE_URL',
  'MIGRATIONS_LOCK_TIMEOUT_MS',
  'MIGRATIONS_BACKUP',
  'BACKUP_FOLDER',
] as const satisfies readonly EnvironmentName[];

export const databaseNames = [
  'DATABASE_URL',
  'DB_HOST',
  'DB_PORT',
  'DB_USER',
  'DB_PASSWORD',
  'DB_NAME',
  'DB_SSL',
  'DB_POOL_SIZE',
  'DB_STATEMENT_TIMEOUT_MS',
] as const satisfies readonly EnvironmentName[];
