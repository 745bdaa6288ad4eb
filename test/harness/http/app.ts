import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { createApp } from '../../../src/app.setup.js';
import { loadConfig, type Environment } from '../../../src/config/config.js';
import { createMigratedDatabase, type TestDatabase } from '../database/database.js';
import { TEST_SECRET } from '../test-secret.js';
import { ApiClient } from './client.js';
import { TEST_SETTINGS, type TestService } from './service.js';

/** The service in Jest's own process, for tests that call its providers. */
export interface TestApp extends TestService {
  readonly app: NestFastifyApplication;
}

/**
 * Boots the application on a port and a database of its own. It costs 3 s of CPU to load it into Jest: use `startService`
 * where HTTP will do. `environment` adds to what the tests run with.
 */
export async function startApp(environment: Environment = {}, existing?: TestDatabase): Promise<TestApp> {
  const database = existing ?? (await createMigratedDatabase());
  const app = await createApp(
    loadConfig({
      NODE_ENV: 'test',
      DATABASE_URL: database.url,
      JWT_SECRET: TEST_SECRET,
      LOG_LEVEL: 'silent',
      OVERLOAD_SHEDDING: 'false',
      ...TEST_SETTINGS,
      ...environment,
    }),
  );
  await app.init();
  const url = await app.getHttpAdapter().getInstance().listen({ host: '127.0.0.1', port: 0 });
  const anonymous = new ApiClient(url);
  return {
    app,
    url,
    database,
    anonymous,
    signUp: (fields) => anonymous.signUp(fields),
    close: async () => {
      await app.close();
      if (!existing) await database.drop();
    },
  };
}
