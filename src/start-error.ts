import type { Config } from './config/config.js';
import { isExpected } from './database/expected-errors.js';

/** A message for the operator if the cause is known; otherwise the error itself. */
export function describeStartError(error: unknown, { http, metrics }: Config): unknown {
  if (isExpected(error)) return error.message;
  const { code, port = http.port } = (error ?? {}) as { code?: string; port?: number };
  const { host } = http;
  const name = port === metrics.port ? 'METRICS_PORT' : 'PORT';
  switch (code) {
    case 'EADDRINUSE':
      return `port ${port} on ${host} is in use: stop the other process or change ${name}`;
    case 'EACCES':
      return `port ${port} on ${host} needs more privileges: set ${name} to 1024 or higher`;
    case 'EADDRNOTAVAIL':
      return `${host} is not an address of this machine: set HOST to a local address or to 0.0.0.0`;
    default:
      return error;
  }
}
