import { DataSource } from 'typeorm';
import { loadMigrationsConfig } from '../config/config.js';
import { dataSourceOptions } from './connection/data-source-options.js';
import { ENTITIES, MIGRATIONS } from './schema-files.js';
import { loadMigrations } from '../migrator/history/migration-files.js';

/** What `npx typeorm … -d dist/database/data-source.js` loads: the settings of the app, without its timeouts. */
export default new DataSource({
  ...dataSourceOptions(loadMigrationsConfig().database),
  entities: ENTITIES,
  migrations: await loadMigrations(MIGRATIONS),
  extra: { keepAlive: true },
});
