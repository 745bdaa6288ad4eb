import { Controller, Get, Query } from '@nestjs/common';
import { ApiBearerAuth, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { AllowWithout } from '../http/allow-without.decorator.js';
import { CurrentUser, type Principal } from '../http/current-user.decorator.js';
import { ApiProblems } from '../http/problem/api-problems.decorator.js';
import {
  SecurityEventListQuerySchema,
  SecurityEventListSchema,
  type SecurityEventList,
  type SecurityEventListQuery,
} from './security-events.schemas.js';
import { SecurityEventsService } from './security-events.service.js';

@ApiTags('Users')
@ApiBearerAuth()
@AllowWithout('verified-email', 'second-factor')
@Controller('users/me/security-events')
export class SecurityEventsController {
  constructor(private readonly events: SecurityEventsService) {}

  @Get()
  @ApiOperation({
    operationId: 'listSecurityEvents',
    summary: 'List the security events of the last 180 days, newest first',
    description:
      'Sign-ins, password changes and the like, with the network and the user agent of the client.',
  })
  @ApiOkResponse({ standardSchema: SecurityEventListSchema })
  @ApiProblems(400, 401, 429, 503)
  list(
    @CurrentUser() { userId }: Principal,
    @Query({ schema: SecurityEventListQuerySchema }) query: SecurityEventListQuery,
  ): Promise<SecurityEventList> {
    return this.events.list(userId, query);
  }
}
