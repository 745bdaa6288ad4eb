export type SslMode = (typeof SSL_MODES)[number];

export interface DatabaseUrl {
  host: string;
  port?: number;
  user?: string;
  password?: string;
  name: string;
  sslmode?: SslMode;
}

/** libpq's, https://www.postgresql.org/docs/current/libpq-ssl.html#LIBPQ-SSL-PROTECTION */
const SSL_MODES = ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full'] as const;

const SCHEME = /^postgres(?:ql)?:\/\//;
const REST =
  /^(?:([^:@/?#]*)(?::(.*))?@)?(\[[^\]]+\]|[^:/@?#\s]+)(?::(\d{1,5}))?\/([^/?#@]+)(?:\?([^#]*))?$/s;

/**
 * Reads `postgres://user:password@host:port/name?sslmode=…`.
 *
 * A password may be percent-encoded, as RFC 3986 asks, or stand there as it is: it ends at the last `@` that has a
 * host and a name after it. One that is valid either way is read as encoded.
 *
 * @throws {Error} with a message fit for the fault list, never with the password in it
 */
export function parseDatabaseUrl(text: string): DatabaseUrl {
  const scheme = SCHEME.exec(text);
  if (!scheme) throw new Error('must begin with postgres://');
  const match = REST.exec(text.slice(scheme[0].length));
  if (!match) throw new Error('must be postgres://user:password@host:port/name');
  const [, user = '', password = '', host = '', port, name = '', query] = match;
  if (port !== undefined && (Number(port) < 1 || Number(port) > 65_535)) {
    throw new Error('must have a port from 1 to 65535');
  }
  const sslmode = sslModeOf(new URLSearchParams(query));
  return {
    host: percentDecode(host).replace(/^\[(.*)\]$/, '$1'),
    ...(port !== undefined && { port: Number(port) }),
    ...(user !== '' && { user: percentDecode(user) }),
    ...(password !== '' && { password: percentDecode(password) }),
    name: percentDecode(name),
    ...(sslmode && { sslmode }),
  };
}

/** What is not understood is refused, not passed over: the connection would be less safe than was asked. */
function sslModeOf(query: URLSearchParams): SslMode | undefined {
  if (query.has('ssl')) throw new Error('must say sslmode=require or sslmode=verify-full instead of ssl=');
  const given = query.get('sslmode');
  if (given === null) return undefined;
  const sslmode = SSL_MODES.find((mode) => mode === given);
  if (!sslmode) throw new Error(`must have an sslmode of ${SSL_MODES.join(', ')}`);
  return sslmode;
}

/** Text that is not valid percent-encoding stands for itself. */
export function percentDecode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
