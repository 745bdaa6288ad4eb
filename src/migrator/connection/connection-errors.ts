import { types } from 'node:util';
import { QueryFailedError } from 'typeorm';

/** Of the socket and of the driver: there is no connection, or there is no more. */
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

/** pg and pg-pool give these no code. */
const CONNECTION_MESSAGES =
  /^(Connection terminated|timeout exceeded when trying to connect|timeout expired|Query read timeout|Client has encountered a connection error|Client was closed|Cannot use a pool after calling end)/;

/**
 * PostgreSQL's own: connection exceptions (08), a full disk, no memory, too many connections (53100, 53200, 53300), idle
 * for too long within a transaction (25P03), shutting down or starting up (57P01–57P03), a read-only standby after a
 * failover (25006), and a transaction that lost against another (40001, 40P01).
 * https://www.postgresql.org/docs/current/errcodes-appendix.html
 */
const SQLSTATES = /^(08...|53100|53200|53300|57P0[123]|25006|25P03|40001|40P01)$/;

/** Whether an error says no more than that the database cannot serve now. */
export function isDatabaseUnavailable(error: unknown): boolean {
  return isUnavailable(error instanceof QueryFailedError ? error.driverError : error);
}

function isUnavailable(error: unknown): boolean {
  if (error instanceof AggregateError) return error.errors.some(isUnavailable);
  // Not instanceof: under Jest, Node's own errors come from another realm.
  if (!types.isNativeError(error)) return false;
  const { code } = error as { code?: unknown };
  // Node's for a client that broke its request off; the driver's own have the system's message.
  if (code === 'ECONNRESET' && error.message === 'aborted') return false;
  if (typeof code === 'string' && (CONNECTION_CODES.has(code) || SQLSTATES.test(code))) return true;
  return CONNECTION_MESSAGES.test(error.message);
}
