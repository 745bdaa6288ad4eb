import { types } from 'node:util';
import { QueryFailedError } from 'typeorm';

/** Socket and driver errors: the connection failed or was lost. */
const CONNECTION_CODES = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ETIMEDOUT',
  'EPIPE',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
]);

/** Errors of pg and pg-pool without a code. */
const CONNECTION_MESSAGES =
  /^(Connection terminated|timeout exceeded when trying to connect|timeout expired|Query read timeout|Client has encountered a connection error|Client was closed|Cannot use a pool after calling end)/;

/**
 * Connection exceptions (08), disk full, out of memory, too many connections (53100, 53200, 53300), idle-in-transaction
 * timeout (25P03), shutdown or startup (57P01–57P03), read-only standby after a failover (25006), serialization failure
 * and deadlock (40001, 40P01).
 * https://www.postgresql.org/docs/current/errcodes-appendix.html
 */
const SQLSTATES = /^(08...|53100|53200|53300|57P0[123]|25006|25P03|40001|40P01)$/;

/** Whether an error means that the database is temporarily unavailable. */
export function isDatabaseUnavailable(error: unknown): boolean {
  return isUnavailable(error instanceof QueryFailedError ? error.driverError : error);
}

function isUnavailable(error: unknown): boolean {
  if (error instanceof AggregateError) return error.errors.some(isUnavailable);
  // Not instanceof: under Jest, Node's errors come from another realm.
  if (!types.isNativeError(error)) return false;
  const { code } = error as { code?: unknown };
  // Node's error for an HTTP client that disconnected. The driver's errors have the message of the system.
  if (code === 'ECONNRESET' && error.message === 'aborted') return false;
  if (typeof code === 'string' && (CONNECTION_CODES.has(code) || SQLSTATES.test(code))) return true;
  return CONNECTION_MESSAGES.test(error.message);
}
