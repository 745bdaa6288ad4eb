import {
  BadRequestException,
  Injectable,
  StandardSchemaValidationPipe,
  UnprocessableEntityException,
  type ArgumentMetadata,
} from '@nestjs/common';
import type { ProblemError } from '../problem/problem.js';

const MAX_ERRORS = 100;

class SchemaIssues {
  constructor(readonly issues: readonly Issue[]) {}
}

interface Issue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
  /** zod's `unrecognized_keys` names them here. */
  readonly keys?: readonly string[];
}

/** Validates with zod schemas. An invalid body is a 422, an invalid path or query a 400. */
@Injectable()
export class SchemaValidationPipe extends StandardSchemaValidationPipe {
  constructor() {
    super({ exceptionFactory: (issues) => new SchemaIssues(issues) });
  }

  /**
   * Keeps `__proto__` and `constructor`, so that strict schemas refuse them like any unknown field. zod never copies
   * them.
   */
  protected override stripProtoKeys(): void {}

  override async transform<T>(value: T, metadata: ArgumentMetadata): Promise<T> {
    try {
      return await super.transform(value, metadata);
    } catch (thrown) {
      if (!(thrown instanceof SchemaIssues)) throw thrown;
      const errors = toProblemErrors(thrown.issues, metadata.data);
      if (metadata.type === 'body') {
        throw unprocessableBody(errors);
      }
      throw new BadRequestException({
        message: `The ${metadata.type === 'param' ? 'path' : 'query'} is not valid`,
        errors,
      });
    }
  }
}

export function unprocessableBody(errors: readonly ProblemError[]): UnprocessableEntityException {
  return new UnprocessableEntityException({ message: 'The body is not valid', errors });
}

export function toProblemErrors(issues: readonly Issue[], root?: string): ProblemError[] {
  const errors = issues.flatMap((issue) => {
    const path = [...(root === undefined ? [] : [root]), ...(issue.path ?? []).map(segmentOf)];
    if (!issue.keys) return [{ path: path.join('.'), message: issue.message }];
    return issue.keys.map((key) => ({ path: [...path, key].join('.'), message: 'is an unknown field' }));
  });
  // Two checks can fail with the same message: 1e21 is not a safe integer and is above the maximum.
  const unique = new Map(errors.map((error) => [`${error.path} ${error.message}`, error]));
  return [...unique.values()].slice(0, MAX_ERRORS);
}

function segmentOf(segment: PropertyKey | { readonly key: PropertyKey }): string {
  return String(typeof segment === 'object' ? segment.key : segment);
}
