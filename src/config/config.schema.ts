import * as z from 'zod';
import { databaseUrl, redisUrl, smtpUrl } from './connection-url.js';

/** 32 bytes or more, but anyone can look it up. */
export const EXAMPLE_SECRET = 'an-example-secret-of-32-bytes-or-more';

const SECONDS = { s: 1, m: 60, h: 3600, d: 86_400 } as const;

function integer(min: number, max: number) {
  const error = `must be a whole number from ${min} to ${max}`;
  const digits = z.string().regex(/^\d{1,15}$/, error);
  return digits.transform(Number).pipe(z.number().min(min, error).max(max, error));
}

function oneOf<const Values extends readonly string[]>(values: Values) {
  return z.enum(values, `must be one of ${values.join(', ')}`);
}

function optional<Type extends z.ZodType>(type: Type, example: string) {
  return type.optional().meta({ example });
}

function secret<Type extends z.ZodType>(type: Type, example: string) {
  return type.meta({ example, secret: true });
}

const port = integer(1, 65_535);
const timeout = integer(1, 3_600_000);
const rate = integer(1, 1_000_000);
const boolean = z.stringbool('must be true or false');

/** `15m` → 900: a duration in seconds. */
const duration = z
  .string()
  .regex(/^[1-9]\d{0,6}[smhd]$/, 'must be a number and a unit: s, m, h or d')
  .transform((text) => Number(text.slice(0, -1)) * SECONDS[text.slice(-1) as keyof typeof SECONDS]);

/** RFC 7518 §3.2: a key for HS256 has at least the size of the hash output, 256 bits. */
const signingKey = z.string().refine((key) => Buffer.byteLength(key) >= 32, 'must have 32 bytes or more');

/** Fastify refuses the network /0. */
const network = z.union([z.ipv4(), z.ipv6(), z.cidrv4(), z.cidrv6()]).refine((text) => !text.endsWith('/0'));
const isNetworks = (list: string) => list.split(/ *, */).every((part) => network.safeParse(part).success);

/** As Fastify takes it, but not a number of hops, which clients can forge. */
const trustedProxies = z.union([
  z.stringbool({ truthy: ['on', 'true'], falsy: ['off', 'false'] }),
  z.string().toLowerCase().refine(isNetworks, 'must be off, on, or addresses and networks'),
]);

const origins = z
  .string()
  .transform((list) => list.split(/[\s,]+/).filter(Boolean))
  .refine(
    (list) => list.every((origin) => URL.canParse(origin) && new URL(origin).origin === origin),
    'must be origins such as https://app.example.org, separated by commas',
  );

/** `entries@example.org` or `Entries <entries@example.org>`. */
const sender = z
  .string()
  .regex(
    /^(?:[^<>@",;\r\n]+ <[^\s<>@]+@[^\s<>@]+>|[^\s<>@]+@[^\s<>@]+)$/,
    'must be an address, such as Entries <entries@example.org>',
  );

const publicUrl = z
  .url({ protocol: /^https?$/, error: 'must be a URL such as https://entries.example.org' })
  .refine((text) => !/[?#]/.test(text), 'must have no query and no fragment')
  .transform((text) => text.replace(/\/+$/, ''));

// Each variable has a type, a default as one writes it (`prefault`) or else an example, and a description.
// `npm run docs:configuration` writes docs/configuration.md and .env.example from it.

/** What commands read, and the service too. */
export const commandSchema = z.object({
  DATABASE_URL: secret(databaseUrl.optional(), 'postgres://entries:password@localhost:5432/entries').describe(
    'PostgreSQL as a URL, or set `DB_HOST`. The password may be percent-encoded or written as it is.',
  ),
  DB_HOST: optional(z.string(), 'localhost').describe('PostgreSQL host, instead of `DATABASE_URL`.'),
  DB_PORT: port.prefault('5432').describe('PostgreSQL port.'),
  DB_USER: z.string().prefault('postgres').describe('PostgreSQL user.'),
  DB_PASSWORD: secret(z.string().prefault(''), 'p@ss:w/rd?#%').describe('PostgreSQL password, not encoded.'),
  DB_NAME: optional(z.string(), 'entries').describe('PostgreSQL database. Without it, the name of the user.'),
  DB_SSL: oneOf(['off', 'require', 'verify-full'])
    .prefault('off')
    .describe('TLS to PostgreSQL: `require` encrypts, `verify-full` also checks the certificate.'),
  DB_POOL_SIZE: integer(1, 1000)
    .prefault('10')
    .describe(
      'Most connections. Creating entries uses up to half as many more, health checks and short reads one each.',
    ),
  DB_STATEMENT_TIMEOUT_MS: timeout.prefault('10000').describe('Time limit of a statement.'),
  MIGRATIONS_RUN: boolean.prefault('true').describe('Apply pending migrations at start.'),
  MIGRATIONS_DATABASE_URL: secret(
    databaseUrl.optional(),
    'postgres://entries:password@localhost:5432/entries',
  ).describe('Direct connection, if `DATABASE_URL` leads to a pooler in transaction mode.'),
  MIGRATIONS_LOCK_TIMEOUT_MS: integer(1, 86_400_000)
    .prefault('120000')
    .describe('How long to wait while another process migrates.'),
  MIGRATIONS_BACKUP: boolean.prefault('false').describe('Migrate only after a backup.'),
  BACKUP_FOLDER: z.string().prefault('backups').describe('Where `scripts/backup` puts backups.'),
});

/** Every environment variable that the service reads. */
export const environmentSchema = z.object({
  NODE_ENV: oneOf(['development', 'production', 'test'])
    .prefault('development')
    .describe(
      '`development`, `production` (refuses weak secrets) or `test`. Only `development` reads `.env`.',
    ),
  PORT: integer(0, 65_535).prefault('8080').describe('TCP port. 0 picks a free one.'),
  HOST: z.string().prefault('0.0.0.0').describe('Address to listen on.'),
  TRUST_PROXY: trustedProxies
    .prefault('off')
    .describe('Whose `X-Forwarded-For` to believe: `off`, `on`, or addresses such as `10.0.0.0/8,::1`.'),
  CORS_ORIGINS: origins
    .prefault('')
    .describe('Browser origins that may call, such as `https://app.example.org`, separated by commas.'),
  BODY_LIMIT_BYTES: integer(1024, 1_073_741_824)
    .prefault('1048576')
    .describe('Largest request body, and largest line of an import.'),
  SHUTDOWN_TIMEOUT_MS: timeout.prefault('10000').describe('Time limit of a shutdown with open requests.'),
  SHUTDOWN_DRAIN_MS: integer(0, 3_600_000)
    .prefault('0')
    .describe('How long requests are still accepted after SIGTERM, while `/health` answers 503.'),
  OVERLOAD_SHEDDING: boolean.prefault('true').describe('Answer 503 to requests that would wait too long.'),
  ...commandSchema.shape,
  REDIS_URL: secret(redisUrl.optional(), 'redis://localhost:6379').describe(
    'Redis as a URL, `rediss://` for TLS. Without Redis, cache and limits are in memory.',
  ),
  REDIS_HOST: optional(z.string(), 'localhost').describe('Redis host, instead of `REDIS_URL`.'),
  REDIS_PORT: port.prefault('6379').describe('Redis port.'),
  REDIS_PASSWORD: secret(z.string().optional(), 'a-password').describe('Redis password, not encoded.'),
  JWT_SECRET: secret(signingKey, EXAMPLE_SECRET).describe(
    'Signs access tokens, 32 bytes or more. `openssl rand -base64 48` generates one.',
  ),
  JWT_SECRET_PREVIOUS: secret(signingKey.optional(), 'the-secret-that-was-in-use-until-now').describe(
    'The secret before this one: verifies tokens and decrypts second factors, signs none.',
  ),
  JWT_ACCESS_TTL: duration.prefault('15m').describe('Lifetime of an access token: s, m, h or d.'),
  JWT_REFRESH_TTL: duration.prefault('30d').describe('Lifetime of a session without a refresh.'),
  ARGON2_MEMORY_KIB: integer(1024, 4_194_304)
    .prefault('19456')
    .describe('Memory for one hash. At login, a weaker hash is replaced.'),
  ARGON2_TIME_COST: integer(1, 100)
    .prefault('2')
    .describe('Passes over the memory. `production` refuses less than OWASP advises.'),
  ARGON2_PARALLELISM: integer(1, 16).prefault('1').describe('Lanes that the memory is divided into.'),
  ARGON2_CONCURRENCY: optional(integer(1, 1023), '2').describe(
    'Hashes at once. Without it, one less than there are processors and threads.',
  ),
  UV_THREADPOOL_SIZE: integer(2, 1024)
    .prefault('4')
    .describe('Threads for hashing, files and DNS. Node itself reads it, so `.env` cannot set it.'),
  SMTP_URL: secret(smtpUrl.optional(), 'smtp://user:password@mail.example.org:587').describe(
    'Sends mail: `smtp://` (STARTTLS; a password is sent only over TLS) or `smtps://`. Without it, `development` prints mails and `production` sends none.',
  ),
  MAIL_FROM: optional(sender, 'Entries <entries@example.org>').describe('Sender of mails.'),
  PUBLIC_URL: optional(publicUrl, 'https://entries.example.org').describe(
    'Prefix of links in mails, where your front end is. Without it, `http://localhost:PORT`.',
  ),
  REQUIRE_VERIFIED_EMAIL: boolean
    .prefault('false')
    .describe('Refuse everything but account routes until the e-mail address is verified.'),
  REQUIRE_SECOND_FACTOR: boolean
    .prefault('false')
    .describe('Refuse everything but account routes until the user has enabled a second factor.'),
  RATE_LIMIT_ENABLED: boolean.prefault('true').describe('Limit requests.'),
  RATE_LIMIT_ANONYMOUS_PER_MINUTE: rate.prefault('100').describe('Requests of an IP address.'),
  RATE_LIMIT_USER_PER_MINUTE: rate.prefault('1000').describe('Requests of a signed-in user.'),
  RATE_LIMIT_LOGIN_PER_MINUTE: rate.prefault('10').describe('Logins of an IP address and e-mail.'),
  LOG_LEVEL: oneOf(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'])
    .prefault('info')
    .describe('`fatal`, `error`, `warn`, `info`, `debug`, `trace` or `silent`.'),
  LOG_FORMAT: optional(oneOf(['json', 'pretty']), 'json').describe(
    '`json` or `pretty`. Without it, `pretty` on a terminal.',
  ),
  METRICS_ENABLED: boolean.prefault('true').describe('Serve `/metrics` for Prometheus.'),
  METRICS_PORT: optional(integer(0, 65_535), '9464').describe('Port for `/metrics` alone.'),
  DOCS_ENABLED: boolean.prefault('true').describe('Serve `/docs` and `/openapi.json`.'),
});

export type CommandVariables = z.output<typeof commandSchema>;
export type Variables = z.output<typeof environmentSchema>;

/** An empty default counts as none. */
export function describeVariable(name: string) {
  const shape: Readonly<Record<string, z.ZodType>> = environmentSchema.shape;
  const type = shape[name];
  if (!type) return undefined;
  const byDefault = type instanceof z.ZodPrefault ? String(type.def.defaultValue) : '';
  const { description = '' } = type;
  return { name, default: byDefault, example: byDefault, secret: false, ...type.meta(), description };
}
