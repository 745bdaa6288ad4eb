import { STATUS_CODES } from 'node:http';
import * as z from 'zod';

export const PROBLEM_MEDIA_TYPE = 'application/problem+json; charset=utf-8';

export const ProblemSchema = z
  .object({
    type: z
      .string()
      .meta({ description: 'URI of the problem type; about:blank: the status describes the problem' }),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    instance: z.string().meta({ description: 'path of the request' }),
    requestId: z.string(),
    errors: z
      .array(z.object({ path: z.string(), message: z.string() }))
      .optional()
      .meta({ description: 'invalid fields, at most 100' }),
  })
  .meta({
    id: 'Problem',
    description: 'RFC 9457 problem details',
    example: {
      type: 'about:blank',
      title: 'Not Found',
      status: 404,
      detail: 'No such entry',
      instance: '/entries/01a5c0de-8c9d-7e1f-9a2b-6c7d8e9f0a1b',
      requestId: '01a5c0de-9dae-7f1a-8b2c-7d8e9f0a1b2c',
    },
  });

/** An error response: RFC 9457, https://www.rfc-editor.org/rfc/rfc9457 */
export type Problem = z.infer<typeof ProblemSchema>;

export interface ProblemError {
  readonly path: string;
  readonly message: string;
}

export function titleOf(status: number): string {
  return STATUS_CODES[status] ?? 'Error';
}
