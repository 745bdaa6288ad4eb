import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { OpenRequestsModule } from '../http/connections/open-requests.module.js';
import { IdempotencyModule } from '../idempotency/idempotency.module.js';
import { UsersModule } from '../users/users.module.js';
import { DateFilters } from './date-filters.js';
import { EntriesController } from './entries.controller.js';
import { EntriesService } from './entries.service.js';
import { Entry } from './entry.entity.js';
import { EntriesPersonalData } from './entries.personal-data.js';
import { StatsController } from './stats/stats.controller.js';
import { StatsRepository } from './stats/stats.repository.js';
import { StatsService } from './stats/stats.service.js';
import { EntriesRepository } from './entries.repository.js';
import { TransferController } from './transfer/transfer.controller.js';
import { TransferModule } from './transfer/transfer.module.js';
import { TransferAdmission } from './transfer/transfer-admission.js';
import { Journal } from './journal.entity.js';
import { TrashPurge } from './trash.purge.js';

@Module({
  imports: [
    UsersModule,
    IdempotencyModule,
    TypeOrmModule.forFeature([Entry, Journal]),
    TransferModule,
    OpenRequestsModule,
  ],
  controllers: [EntriesController, StatsController, TransferController],
  providers: [
    DateFilters,
    EntriesService,
    EntriesPersonalData,
    EntriesRepository,
    StatsRepository,
    StatsService,
    TransferAdmission,
    TrashPurge,
  ],
})
export class EntriesModule {}
