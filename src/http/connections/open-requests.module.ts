import { Module } from '@nestjs/common';
import { OpenRequests } from './open-requests.js';

@Module({ providers: [OpenRequests], exports: [OpenRequests] })
export class OpenRequestsModule {}
