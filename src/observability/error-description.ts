import { types } from 'node:util';

/** SQLSTATE class 22, data exception: PostgreSQL's message quotes the invalid value. */
const QUOTES_A_VALUE = /^22[0-9A-Z]{3}$/;

export interface ErrorDescription {
  readonly type: string;
  readonly message: string;
  readonly stack: string | undefined;
  readonly code?: unknown;
  readonly constraint?: unknown;
  readonly table?: unknown;
}

/** The parts of an error that are safe to log: not the statement's parameters, PostgreSQL's `detail` (a row) or `cause`. */
export function describeError(error: Error): ErrorDescription {
  const { code, constraint, table } = error as { code?: unknown; constraint?: unknown; table?: unknown };
  const message = messageOf(error);
  return {
    type: error.name,
    message,
    stack: message === error.message ? error.stack : `${error.name}: ${message}\n${framesOf(error)}`,
    ...(code !== undefined && { code }),
    ...(constraint !== undefined && { constraint }),
    ...(table !== undefined && { table }),
  };
}

/** The message of anything that was thrown, without user data. */
export function messageOf(error: unknown): string {
  if (!types.isNativeError(error)) return String(error);
  const { code } = error as { code?: unknown };
  if (typeof code === 'string' && QUOTES_A_VALUE.test(code)) return `PostgreSQL rejected a value (${code})`;
  return error.message;
}

function framesOf({ stack = '', message }: Error): string {
  const end = stack.indexOf(message) + message.length;
  return stack.slice(end).replace(/^\n/, '');
}
