import { DataSource } from 'typeorm';
import { loadMigrationsConfig } from '../config/config.js';
import { dataSourceOptions } from './data-source-options.js';
import { ENTITIES, MIGRATIONS } from './schema-files.js';
import { loadMigrations } from '../migrator/history/migration-files.js';

/** What `typeorm -d dist/database/data-source.js` loads: the application's own settings, without its timeouts. */
export default new DataSource({
  ...dataSourceOptions(loadMigrationsConfig().database),
  entities: ENTITIES,
  migrations: await loadMigrations(MIGRATIONS),
  extra: { keepAlive: true },
});
