import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { UsersModule } from '../users/users.module.js';
import { EntriesController } from './entries.controller.js';
import { EntriesService } from './entries.service.js';
import { Entry } from './entry.entity.js';
import { EntryPersonalData } from './entry-personal-data.js';
import { EntryQueries } from './entry.queries.js';
import { TrashPurge } from './trash-purge.js';

@Module({
  imports: [UsersModule, TypeOrmModule.forFeature([Entry])],
  controllers: [EntriesController],
  providers: [EntriesService, EntryQueries, EntryPersonalData, TrashPurge],
})
export class EntriesModule {}
