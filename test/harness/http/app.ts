import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { createApp } from '../../../src/app.setup.js';
import { loadConfig, type Environment } from '../../../src/config/config.js';
import { ApiClient } from './client.js';
import { createDatabase, type TestDatabase } from '../database/database.js';
import { TEST_SECRET } from '../test-secret.js';

export interface TestApp {
  readonly app: NestFastifyApplication;
  readonly url: string;
  readonly database: TestDatabase;
  /** Signed in as nobody. */
  readonly anonymous: ApiClient;
  /** A new user, signed in. */
  signUp(fields?: { email?: string; password?: string; displayName?: string }): Promise<ApiClient>;
  close(): Promise<void>;
}

/** Boots the application on a port and a database of its own. `environment` adds to what the tests run with. */
export async function startApp(environment: Environment = {}, existing?: TestDatabase): Promise<TestApp> {
  const database = existing ?? (await createDatabase());
  const app = await createApp(
    loadConfig({
      NODE_ENV: 'test',
      DATABASE_URL: database.url,
      DB_POOL_SIZE: '5',
      JWT_SECRET: TEST_SECRET,
      // A fiftieth of the work for each of the many accounts that the tests open.
      ARGON2_MEMORY_KIB: '1024',
      ARGON2_TIME_COST: '1',
      RATE_LIMIT_ENABLED: 'false',
      // A machine that runs suites side by side is often late.
      OVERLOAD_SHEDDING: 'false',
      LOG_LEVEL: 'silent',
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
