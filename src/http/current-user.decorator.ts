import { createParamDecorator, type ExecutionContext } from '@nestjs/common';

export interface Principal {
  readonly userId: string;
  readonly sessionId: string;
}

export const CurrentUser = createParamDecorator((_data: unknown, context: ExecutionContext): Principal => {
  return context.switchToHttp().getRequest<{ user: Principal }>().user;
});
