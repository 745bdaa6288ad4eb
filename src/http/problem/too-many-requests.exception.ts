import { HttpException, HttpStatus } from '@nestjs/common';

/** 429, with `Retry-After`. Nest has no exception of this name. */
export class TooManyRequestsException extends HttpException {
  constructor(message: string, retryAfterSeconds: number) {
    super({ message, retryAfterSeconds }, HttpStatus.TOO_MANY_REQUESTS);
  }
}
