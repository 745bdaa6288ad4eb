import { join } from 'node:path';
import { DataSource } from 'typeorm';
import { loadMigrationsConfig } from '../config/config.js';
import { dataSourceOptions } from './data-source-options.js';
import { loadMigrations } from '../migrator/migration-files.js';

/** What `typeorm -d dist/database/data-source.js` loads: the application's own settings, without its timeouts. */
export default new DataSource({
  ...dataSourceOptions(loadMigrationsConfig().database),
  // By their names, as this module may not import what imports it.
  entities: [join(import.meta.dirname, '..', '**/*.entity.js')],
  migrations: await loadMigrations(),
  extra: { keepAlive: true },
});
