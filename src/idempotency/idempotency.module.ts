import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { UsersModule } from '../users/users.module.js';
import { IdempotencyKey } from './idempotency-key.entity.js';
import { IdempotencyPersonalData } from './idempotency.personal-data.js';
import { IdempotencyPurge } from './idempotency.purge.js';
import { IdempotencyRepository } from './idempotency.repository.js';
import { IdempotencyService } from './idempotency.service.js';

@Module({
  imports: [UsersModule, TypeOrmModule.forFeature([IdempotencyKey])],
  providers: [IdempotencyService, IdempotencyRepository, IdempotencyPersonalData, IdempotencyPurge],
  exports: [IdempotencyService],
})
export class IdempotencyModule {}
