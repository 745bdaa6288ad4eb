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

/** Documents the statuses of the problems that a route may answer with. */
export function ApiProblems(...statuses: number[]) {
  const [mediaType = ''] = PROBLEM_MEDIA_TYPE.split(';');
  const content = { [mediaType]: { schema: { $ref: getSchemaPath(NAME) } } };
  return applyDecorators(
    ApiExtraModels(ProblemComponent),
    ...statuses.map((status) => ApiResponse({ status, description: titleOf(status), content })),
  );
}
