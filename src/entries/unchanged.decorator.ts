import { applyDecorators } from '@nestjs/common';
import { ApiHeader, ApiResponse } from '@nestjs/swagger';

/** The ETag of what depends on all entries of a user. */
export const WEAK_ETAG = {
  ETag: { description: 'weak; changes with any entry of the user', schema: { type: 'string' as const } },
};

/** Documents `If-None-Match` and 304. */
export const Unchanged = () =>
  applyDecorators(
    ApiHeader({
      name: 'If-None-Match',
      required: false,
      description: 'ETag of an earlier response: 304 if no entry has changed since',
    }),
    ApiResponse({ status: 304, description: 'Not modified', headers: WEAK_ETAG }),
  );
