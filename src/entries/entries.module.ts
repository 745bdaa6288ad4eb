import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { OpenRequestsModule } from '../http/open-requests.module.js';
import { UsersModule } from '../users/users.module.js';
import { EntriesBulk } from './entries-bulk.js';
import { EntriesController } from './entries.controller.js';
import { EntriesService } from './entries.service.js';
import { Entry } from './entry.entity.js';
import { EntryPersonalData } from './entry-personal-data.js';
import { EntryStatsQueries } from './entry-stats.queries.js';
import { EntryStatsService } from './entry-stats.service.js';
import { EntryQueries } from './entry.queries.js';
import { EntryTransferController } from './entry-transfer.controller.js';
import { EntryTransferModule } from './entry-transfer.module.js';
import { TransferAdmission } from './transfer-admission.js';
import { Idempotency } from './idempotency.js';
import { IdempotencyPersonalData } from './idempotency-personal-data.js';
import { IdempotencyPurge } from './idempotency-purge.js';
import { IdempotencyKey } from './idempotency-key.entity.js';
import { Journal } from './journal.entity.js';
import { TrashPurge } from './trash-purge.js';

@Module({
  imports: [
    UsersModule,
    TypeOrmModule.forFeature([Entry, IdempotencyKey, Journal]),
    EntryTransferModule,
    OpenRequestsModule,
  ],
  controllers: [EntriesController, EntryTransferController],
  providers: [
    EntriesBulk,
    EntriesService,
    EntryPersonalData,
    EntryQueries,
    EntryStatsQueries,
    EntryStatsService,
    Idempotency,
    IdempotencyPersonalData,
    IdempotencyPurge,
    TransferAdmission,
    TrashPurge,
  ],
})
export class EntriesModule {}
