import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { OpenRequestsModule } from '../http/connections/open-requests.module.js';
import { IdempotencyModule } from '../idempotency/idempotency.module.js';
import { UsersModule } from '../users/users.module.js';
import { EntriesController } from './entries.controller.js';
import { EntriesService } from './entries.service.js';
import { Entry } from './entry.entity.js';
import { EntryPersonalData } from './transfer/entry-personal-data.js';
import { EntryStatsQueries } from './stats/entry-stats.queries.js';
import { EntryStatsService } from './stats/entry-stats.service.js';
import { EntryQueries } from './entry.queries.js';
import { EntryTransferController } from './transfer/entry-transfer.controller.js';
import { EntryTransferModule } from './transfer/entry-transfer.module.js';
import { TransferAdmission } from './transfer/transfer-admission.js';
import { Journal } from './journal.entity.js';
import { TrashPurge } from './trash-purge.js';

@Module({
  imports: [
    UsersModule,
    IdempotencyModule,
    TypeOrmModule.forFeature([Entry, Journal]),
    EntryTransferModule,
    OpenRequestsModule,
  ],
  controllers: [EntriesController, EntryTransferController],
  providers: [
    EntriesService,
    EntryPersonalData,
    EntryQueries,
    EntryStatsQueries,
    EntryStatsService,
    TransferAdmission,
    TrashPurge,
  ],
})
export class EntriesModule {}
