import { types } from 'node:util';
import { GatewayTimeoutException, ServiceUnavailableException, type HttpException } from '@nestjs/common';
import { QueryFailedError } from 'typeorm';
import { isDatabaseUnavailable } from '../../migrator/connection/connection-errors.js';

/** SQLSTATE of a statement that the statement timeout cancelled. */
const QUERY_CANCELED = '57014';

/** 504 for a query that timed out; a retry would take as long. Undefined for any other error. */
export function asQueryTimeout(error: unknown): HttpException | undefined {
  const cause: unknown = error instanceof QueryFailedError ? error.driverError : error;
  if (!types.isNativeError(cause) || (cause as { code?: unknown }).code !== QUERY_CANCELED) return undefined;
  return new GatewayTimeoutException('The query took too long; narrow it with from, to or other filters');
}

/** 503 if the database is temporarily unavailable; undefined for any other error. */
export function asDatabaseUnavailable(error: unknown): ServiceUnavailableException | undefined {
  return isDatabaseUnavailable(error)
    ? new ServiceUnavailableException('The database is unavailable')
    : undefined;
}
