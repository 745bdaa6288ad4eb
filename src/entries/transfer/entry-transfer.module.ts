import { Module } from '@nestjs/common';
import { EntryExport } from './entry-export.js';
import { EntryImport } from './entry-import.js';
import { EntryTransferQueries } from './entry-transfer.queries.js';

/** Export and import without HTTP, for the API and the command line. */
@Module({
  providers: [EntryTransferQueries, EntryExport, EntryImport],
  exports: [EntryTransferQueries, EntryExport, EntryImport],
})
export class EntryTransferModule {}
