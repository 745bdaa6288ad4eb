import { HttpException, type HttpStatus } from '@nestjs/common';

/** The password is right, and the code is missing: a client asks for the code when it sees this type. Not a failed attempt. */
export class SecondFactorRequiredException extends HttpException {
  constructor(status: HttpStatus.UNAUTHORIZED | HttpStatus.FORBIDDEN) {
    super(
      {
        type: '/problems/second-factor-required',
        title: 'Second Factor Required',
        message: 'The code of the authenticator app is required; a recovery code works too',
      },
      status,
    );
  }
}
