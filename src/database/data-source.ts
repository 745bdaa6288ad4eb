import { DataSource } from 'typeorm';
import { loadCommandConfig } from '../config/config.js';
import { dataSourceOptions } from './connection/data-source-options.js';
import { ENTITIES, MIGRATIONS } from './schema-files.js';
import { KEEP_ALIVE } from '../migrator/connection/connection-options.js';
import { SequentialClient } from '../migrator/connection/sequential-client.js';
import { loadMigrations } from '../migrator/history/migration-files.js';

/** What `npx typeorm … -d dist/database/data-source.js` loads: the settings of the app, without its timeouts. */
export default new DataSource({
  ...dataSourceOptions(loadCommandConfig().migrationsDatabase),
  entities: ENTITIES,
  migrations: await loadMigrations(MIGRATIONS),
  extra: { ...KEEP_ALIVE, Client: SequentialClient },
});
