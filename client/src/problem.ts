import type { Problem } from './openapi.js';

/** What a method of the client returns. */
export type Call<Data> = Promise<{ data?: Data; error?: unknown; response: Response }>;

/** A response that is not a success, as an error: RFC 9457 problem details. */
export class ProblemError extends Error {
  override readonly name = 'ProblemError';

  constructor(
    readonly problem: Problem,
    readonly response: Response,
  ) {
    const fields = problem.errors?.map(({ path, message }) => `; ${path}: ${message}`) ?? [];
    super(`${problem.status} ${problem.title}: ${problem.detail}${fields.join('')}`);
  }
}

/**
 * Waits for a call of the client, and returns its data.
 *
 * @throws {ProblemError} if the response is not a success; a 304 is none
 */
export async function orThrow<Data>(call: Call<Data>): Promise<Data> {
  const { data, error, response } = await call;
  if (response.ok) return data as Data;
  if (typeof error === 'object' && error !== null) throw new ProblemError(error as Problem, response);
  // The words of a proxy, or those of a 304, which are none.
  const { status, statusText: title, url: instance, headers } = response;
  const requestId = headers.get('x-request-id') ?? '';
  const detail = String(error);
  throw new ProblemError({ type: 'about:blank', title, status, detail, instance, requestId }, response);
}
