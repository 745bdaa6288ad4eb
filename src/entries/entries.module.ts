import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { UsersModule } from '../users/users.module.js';
import { EntriesBulk } from './entries-bulk.js';
import { EntriesController } from './entries.controller.js';
import { EntriesService } from './entries.service.js';
import { Entry } from './entry.entity.js';
import { EntryPersonalData } from './entry-personal-data.js';
import { EntryQueries } from './entry.queries.js';
import { EntryTransferController } from './entry-transfer.controller.js';
import { EntryTransferModule } from './entry-transfer.module.js';
import { TransferAdmission } from './transfer-admission.js';
import { TrashPurge } from './trash-purge.js';

@Module({
  imports: [UsersModule, TypeOrmModule.forFeature([Entry]), EntryTransferModule],
  controllers: [EntriesController, EntryTransferController],
  providers: [EntriesService, EntryQueries, EntriesBulk, EntryPersonalData, TransferAdmission, TrashPurge],
})
export class EntriesModule {}
