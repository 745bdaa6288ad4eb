import { percentDecode } from './database-url.js';

export interface RedisUrl {
  host: string;
  port: number;
  username: string | undefined;
  password: string | undefined;
  database: number;
  tls: boolean;
}

const URL_FORM =
  /^redis(s)?:\/\/(?:([^:/?#]*)(?::([^/?#]*))?@)?(\[[^\]]+\]|[^:/@?#\s]*)(?::(\d{1,5}))?(?:\/(\d{1,5})?)?(?:\?[^#@]*)?$/;

/**
 * Reads `redis://user:password@host:port/database`; `rediss` for TLS.
 *
 * @throws {Error} with a message fit for the fault list, never with the password in it
 */
export function parseRedisUrl(text: string): RedisUrl {
  const match = URL_FORM.exec(text);
  if (!match) {
    throw new Error(
      'must be redis://user:password@host:port/database, with / ? # in the password percent-encoded',
    );
  }
  const [, tls, username = '', password = '', host = '', port = '6379', database = '0'] = match;
  if (Number(port) < 1 || Number(port) > 65_535) throw new Error('must have a port from 1 to 65535');
  return {
    host: host.replace(/^\[(.*)\]$/, '$1') || 'localhost',
    port: Number(port),
    username: username === '' ? undefined : percentDecode(username),
    password: password === '' ? undefined : percentDecode(password),
    database: Number(database),
    tls: tls !== undefined,
  };
}
