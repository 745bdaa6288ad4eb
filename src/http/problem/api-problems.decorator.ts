import { applyDecorators } from '@nestjs/common';
import { ApiExtraModels, ApiResponse, ApiSchema, getSchemaPath } from '@nestjs/swagger';
import { z } from 'zod';
import { PROBLEM_MEDIA_TYPE, ProblemSchema, titleOf } from './problem.js';

const NAME = 'Problem';

/**
 * Puts `ProblemSchema` among the document's components. @nestjs/swagger gives a schema under `standardSchema` the media
 * type of its route, and a problem has one of its own, so the responses name the component instead.
 */
@ApiSchema({ ...z.toJSONSchema(ProblemSchema).$defs?.[NAME], name: NAME })
class ProblemComponent {}

/**
 * What a POST, PUT, PATCH or DELETE answers to a body that is no JSON, too large, or of another media type, also where it
 * takes none: one that can be read is passed over there.
 */
export const BODY_PROBLEMS = [400, 413, 415] as const;

/** Documents the statuses of the problems that a route may answer with. Where a query can fail, it can take too long. */
export function ApiProblems(...given: number[]) {
  const statuses = given.includes(503) ? [...given, 504] : given;
  const [mediaType = ''] = PROBLEM_MEDIA_TYPE.split(';');
  const content = { [mediaType]: { schema: { $ref: getSchemaPath(NAME) } } };
  return applyDecorators(
    ApiExtraModels(ProblemComponent),
    ...statuses.map((status) => ApiResponse({ status, description: titleOf(status), content })),
  );
}
