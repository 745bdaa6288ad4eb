import * as z from 'zod';

/** The password ends at the last `@` that a host and a database follow, so it may hold any character. */
const PASSWORD =
  /(?<=^postgres(?:ql)?:\/\/[^:@/?#]*:).*(?=@(?:\[[^\]]+\]|[^:/@?#\s]+)(?::\d+)?\/[^/?#@]+(?:\?[^#]*)?$)/s;

/** https://www.postgresql.org/docs/current/libpq-ssl.html#LIBPQ-SSL-PROTECTION */
const SSL_MODES = ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full'];

/**
 * `postgres://user:password@host:port/database?sslmode=…`, with a password that is percent-encoded or as it is.
 *
 * pg-connection-string refuses a `/`, `?` or `#` in a password as it is, and verify-ca without a file.
 */
export const databaseUrl = z
  .string()
  .transform((text) => text.replace(PASSWORD, (password) => encodeURIComponent(decode(password))))
  .pipe(
    url(/^postgres(ql)?$/, /^[^/]+\/[^/@?]+(\?.*)?$/, 'must be postgres://user:password@host:port/database'),
  )
  .refine(
    ({ searchParams }) =>
      !searchParams.has('ssl') && SSL_MODES.includes(searchParams.get('sslmode') ?? 'disable'),
    `must have an sslmode of ${SSL_MODES.join(', ')}, and no ssl`,
  )
  .transform((url) => ({
    host: hostOf(url),
    port: Number(url.port || 5432),
    user: decode(url.username) || 'postgres',
    password: decode(url.password),
    name: decode(url.pathname.slice(1)),
    ...sslOf(url.searchParams.get('sslmode')),
  }));

/** `redis://user:password@host:port/database`, or `rediss://` for TLS. */
export const redisUrl = url(
  /^rediss?$/,
  /^[^/?]*(\/\d{0,5})?(\?[^@]*)?$/,
  'must be redis://user:password@host:port/database, with / ? # in the password percent-encoded',
).transform((url) => ({
  host: hostOf(url) || 'localhost',
  port: Number(url.port || 6379),
  username: decode(url.username) || undefined,
  password: decode(url.password) || undefined,
  database: Number(url.pathname.slice(1)),
  tls: url.protocol === 'rediss:',
}));

/** `smtp://user:password@host:port`, or `smtps://` for TLS from the first byte. */
export const smtpUrl = url(
  /^smtps?$/,
  /^[^/?]+\/?$/,
  'must be smtp://user:password@host:port or smtps://…, with / ? # in the password percent-encoded',
).transform((url) => ({
  host: hostOf(url),
  port: Number(url.port || (url.protocol === 'smtps:' ? 465 : 587)),
  secure: url.protocol === 'smtps:',
  user: decode(url.username) || undefined,
  password: decode(url.password) || undefined,
}));

/** @param rest what follows user and password */
function url(protocol: RegExp, rest: RegExp, error: string) {
  return z
    .string()
    .transform((text) => text.replace(/%(?![\da-f]{2})/gi, '%25')) // A % that encodes nothing.
    .pipe(z.url({ protocol, error }))
    .transform((text) => new URL(text))
    .refine((url) => rest.test(url.host + url.pathname + url.search) && url.port !== '0' && !url.hash, error);
}

function hostOf({ hostname }: URL): string {
  return decode(hostname).replace(/^\[(.*)\]$/, '$1');
}

/** Never weaker than what is asked. */
function sslOf(mode: string | null): { ssl?: 'off' | 'require' | 'verify-full' } {
  if (mode === null) return {};
  if (mode === 'disable') return { ssl: 'off' };
  return { ssl: mode.startsWith('verify') ? 'verify-full' : 'require' };
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
