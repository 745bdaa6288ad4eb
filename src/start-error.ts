import type { Config } from './config/config.js';
import { isExpected } from './database/expected-errors.js';

/** A message for the operator if the cause is known; otherwise the error itself. */
export function describeStartError(error: unknown, { HOST, PORT, METRICS_PORT }: Config): unknown {
  if (isExpected(error)) return error.message;
  const { code, port = PORT } = (error ?? {}) as { code?: string; port?: number };
  const name = port === METRICS_PORT ? 'METRICS_PORT' : 'PORT';
  switch (code) {
    case 'EADDRINUSE':
      return `port ${port} on ${HOST} is in use: stop the other process or change ${name}`;
    case 'EACCES':
      return `port ${port} on ${HOST} needs more privileges: set ${name} to 1024 or higher`;
    case 'EADDRNOTAVAIL':
      return `${HOST} is not an address of this machine: set HOST to a local address or to 0.0.0.0`;
    default:
      return error;
  }
}
