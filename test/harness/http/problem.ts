import { STATUS_CODES } from 'node:http';
import { expect } from '@jest/globals';
import type { ApiResponse } from './client.js';

/** What `expectProblem` has checked. */
export interface CheckedProblem {
  readonly detail: string;
  readonly instance: string;
  readonly requestId: string;
  readonly errors: readonly { readonly path: string; readonly message: string }[];
  /** Of `errors`. */
  readonly paths: readonly string[];
}

/** Of problems that clients must tell apart from others of their status, by their titles. */
const TYPES = { 'Second Factor Required': '/problems/second-factor-required' } as const;

/**
 * Checks that a response is an RFC 9457 problem of this status, with every member that the contract names and no other.
 *
 * @param title of a problem with a type of its own
 */
export function expectProblem(
  response: ApiResponse,
  status: number,
  title?: keyof typeof TYPES,
): CheckedProblem {
  expect(`${response.status} ${response.text}`).toMatch(new RegExp(`^${status} `));
  expect(response.headers.get('content-type')).toBe('application/problem+json; charset=utf-8');
  const { errors = [], ...problem } = response.body as Partial<Omit<CheckedProblem, 'paths'>>;
  expect(problem).toEqual({
    type: title ? TYPES[title] : 'about:blank',
    title: title ?? STATUS_CODES[status],
    status,
    detail: expect.stringMatching(/\S/),
    instance: expect.stringMatching(/^\/[^?]*$/),
    requestId: response.headers.get('x-request-id'),
  });
  for (const error of errors)
    expect(error).toEqual({ path: expect.any(String), message: expect.stringMatching(/\S/) });
  return {
    ...(problem as Omit<CheckedProblem, 'paths' | 'errors'>),
    errors,
    paths: errors.map(({ path }) => path),
  };
}
