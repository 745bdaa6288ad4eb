import { applyDecorators } from '@nestjs/common';
import { ApiExtraModels, ApiResponse, ApiSchema, getSchemaPath } from '@nestjs/swagger';
import * as z from 'zod';
import { PROBLEM_MEDIA_TYPE, ProblemSchema, titleOf } from './problem.js';

const NAME = 'Problem';

/**
 * Adds `ProblemSchema` to the components. Responses refer to it, because `standardSchema` would give problems the media
 * type of the route.
 */
@ApiSchema({ ...z.toJSONSchema(ProblemSchema).$defs?.[NAME], name: NAME })
class ProblemComponent {}

/** Statuses for an unreadable body, which routes without a body return too. A readable body is ignored there. */
export const BODY_PROBLEMS = [400, 413, 415] as const;

/** Documents the problems of a route. A route that can return 503 can also time out. */
export function ApiProblems(...given: number[]) {
  const statuses = given.includes(503) ? [...given, 504] : given;
  return applyDecorators(
    ApiExtraModels(ProblemComponent),
    ...statuses.map((status) => ApiResponse({ status, ...problemResponse(status) })),
  );
}

/** A response of the OpenAPI document. */
export function problemResponse(status: number) {
  const [mediaType = ''] = PROBLEM_MEDIA_TYPE.split(';');
  return {
    description: titleOf(status),
    content: { [mediaType]: { schema: { $ref: getSchemaPath(NAME) } } },
  };
}
