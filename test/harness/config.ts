import { ConfigError, loadConfig, type Environment } from '../../src/config/config.js';

export const SECRET = 'kP3vX9qLz7Rw2Tb8Ny5Hc1Jd4Fg6Ms0A';
export const HARD_PASSWORD = 'p@ss:w/rd?#%';

/** The least that starts the service. */
export const MINIMAL: Environment = {
  DATABASE_URL: 'postgres://entries:pw@localhost:5432/entries',
  JWT_SECRET: SECRET,
};

/** The same database in parts. */
export const IN_PARTS: Environment = {
  JWT_SECRET: SECRET,
  DB_HOST: 'localhost',
  DB_PORT: '5432',
  DB_USER: 'entries',
  DB_PASSWORD: 'pw',
  DB_NAME: 'entries',
};

export function configErrorOf(load: () => unknown): ConfigError {
  try {
    load();
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
  throw new Error('the configuration was accepted');
}

/** The reason of each fault, by its name. */
export function faultsOf(environment: Environment): Record<string, string> {
  const { faults } = configErrorOf(() => loadConfig(environment));
  return Object.fromEntries(faults.map(({ name, reason }) => [name, reason]));
}
