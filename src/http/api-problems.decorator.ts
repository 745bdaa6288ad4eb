import { applyDecorators } from '@nestjs/common';
import { ApiResponse } from '@nestjs/swagger';
import { ProblemSchema, titleOf } from './problem.js';

/** Documents the statuses of the problems that a route may answer with. */
export function ApiProblems(...statuses: number[]) {
  return applyDecorators(
    ...statuses.map((status) =>
      ApiResponse({ status, description: titleOf(status), standardSchema: ProblemSchema }),
    ),
  );
}
