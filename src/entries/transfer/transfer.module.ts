import { Module } from '@nestjs/common';
import { ExportService } from './export.service.js';
import { ImportService } from './import.service.js';
import { TransferRepository } from './transfer.repository.js';

/** Export and import without HTTP, for the API and the command line. */
@Module({
  providers: [TransferRepository, ExportService, ImportService],
  exports: [TransferRepository, ExportService, ImportService],
})
export class TransferModule {}
