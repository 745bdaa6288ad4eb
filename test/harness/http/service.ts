import { createMigratedDatabase, type TestDatabase } from '../database/database.js';
import { Program } from '../programs/program.js';
import { ApiClient } from './client.js';

export interface TestService {
  readonly url: string;
  readonly database: TestDatabase;
  /** Signed in as nobody. */
  readonly anonymous: ApiClient;
  /** A new user, signed in. */
  signUp(fields?: { email?: string; password?: string; displayName?: string }): Promise<ApiClient>;
  close(): Promise<void>;
}

export const TEST_SETTINGS = {
  DB_POOL_SIZE: '5',
  // A fiftieth of the work for each of the many accounts that the tests open.
  ARGON2_MEMORY_KIB: '1024',
  ARGON2_TIME_COST: '1',
  RATE_LIMIT_ENABLED: 'false',
};

/**
 * Starts the service, bundled as the image has it, in a process of its own, on a port and a database of its own.
 * `environment` adds to what the tests run with.
 */
export async function startService(
  environment: Readonly<Record<string, string | undefined>> = {},
  existing?: TestDatabase,
): Promise<TestService> {
  const database = existing ?? (await createMigratedDatabase());
  const program = Program.start({ DATABASE_URL: database.url, ...TEST_SETTINGS, ...environment });
  const url = await program.listening();
  const anonymous = new ApiClient(url);
  return {
    url,
    database,
    anonymous,
    signUp: (fields) => anonymous.signUp(fields),
    close: async () => {
      await program.stop();
      if (!existing) await database.drop();
    },
  };
}
