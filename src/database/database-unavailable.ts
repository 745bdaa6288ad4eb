import { types } from 'node:util';
import { GatewayTimeoutException, ServiceUnavailableException, type HttpException } from '@nestjs/common';
import { QueryFailedError } from 'typeorm';
import { isDatabaseUnavailable } from '../migrator/connection/connection-errors.js';

/** Cancelled, which is what the statement timeout does. */
const QUERY_CANCELED = '57014';

/**
 * A 504 for a query that took too long: asked for again at once, it would take as long again. Undefined for any other
 * error.
 */
export function asQueryTimeout(error: unknown): HttpException | undefined {
  const cause: unknown = error instanceof QueryFailedError ? error.driverError : error;
  if (!types.isNativeError(cause) || (cause as { code?: unknown }).code !== QUERY_CANCELED) return undefined;
  return new GatewayTimeoutException('The query took too long; narrow it with from, to or other filters');
}

/** A 503 for an error that says no more than that the database cannot serve now; undefined for any other. */
export function asDatabaseUnavailable(error: unknown): ServiceUnavailableException | undefined {
  return isDatabaseUnavailable(error)
    ? new ServiceUnavailableException('The database is unavailable')
    : undefined;
}
