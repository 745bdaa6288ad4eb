import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { UsersModule } from '../users/users.module.js';
import { SecurityEvent } from './security-event.entity.js';
import { SecurityEventsController } from './security-events.controller.js';
import { SecurityEventsPersonalData } from './security-events.personal-data.js';
import { SecurityEventsPurge } from './security-events.purge.js';
import { SecurityEventsRepository } from './security-events.repository.js';
import { SecurityEventsService } from './security-events.service.js';

@Module({
  imports: [UsersModule, TypeOrmModule.forFeature([SecurityEvent])],
  controllers: [SecurityEventsController],
  providers: [
    SecurityEventsService,
    SecurityEventsRepository,
    SecurityEventsPersonalData,
    SecurityEventsPurge,
  ],
  exports: [SecurityEventsService],
})
export class SecurityEventsModule {}
