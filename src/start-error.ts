import type { Config } from './config/config.js';
import { isExpected } from './database/expected-errors.js';

/** What an operator can do about a start that failed; the error itself where nothing is known. */
export function describeStartError(error: unknown, { http, metrics }: Config): unknown {
  if (isExpected(error)) return error.message;
  const { code, port = http.port } = (error ?? {}) as { code?: string; port?: number };
  const { host } = http;
  const name = port === metrics.port ? 'METRICS_PORT' : 'PORT';
  switch (code) {
    case 'EADDRINUSE':
      return `port ${port} on ${host} is in use: stop what listens there, or set ${name} to another`;
    case 'EACCES':
      return `port ${port} on ${host} is not for this user: set ${name} to 1024 or above`;
    case 'EADDRNOTAVAIL':
      return `${host} is no address of this machine: set HOST to one that is, or to 0.0.0.0`;
    default:
      return error;
  }
}
