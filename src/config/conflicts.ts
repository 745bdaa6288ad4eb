import type { ConfigFault } from './config-error.js';
import { EXAMPLE_SECRET, type Variables } from './config.schema.js';
import type { Environment } from './environment.js';

/** KiB for 1, 2, … passes: https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html */
const ARGON2_FLOORS_KIB = [47_104, 19_456, 12_288, 9216, 7168];

/** @returns the faults between variables; `values` lacks those that are at fault by themselves */
export function findConflicts(values: Partial<Variables>, given: Environment): ConfigFault[] {
  return [...urlConflicts(values, given), ...limitConflicts(values), ...productionConflicts(values)];
}

/** PostgreSQL and Redis may be given as a URL, in parts, or both if they agree. */
function* urlConflicts(values: Partial<Variables>, given: Environment) {
  for (const [prefix, url] of [
    ['DB_', 'DATABASE_URL'],
    ['REDIS_', 'REDIS_URL'],
  ] as const) {
    for (const [key, part] of Object.entries(values[url] ?? {})) {
      const name = `${prefix}${key.toUpperCase()}` as keyof Variables;
      if (given[name] !== undefined && name in values && values[name] !== part) {
        yield { name, reason: `differs from ${url}: set one of them` };
      }
    }
  }
  if (given['DATABASE_URL'] === undefined && given['DB_HOST'] === undefined) {
    yield { name: 'DATABASE_URL', reason: 'is missing, and so is DB_HOST: set one of them' };
  }
  if (given['REDIS_URL'] === undefined && given['REDIS_HOST'] === undefined) {
    for (const name of ['REDIS_PORT', 'REDIS_PASSWORD']) {
      if (given[name]) yield { name, reason: 'is set, but REDIS_HOST is not' };
    }
  }
}

function* limitConflicts(values: Partial<Variables>) {
  for (const [name, limit] of [
    ['ARGON2_CONCURRENCY', 'UV_THREADPOOL_SIZE'],
    ['SHUTDOWN_DRAIN_MS', 'SHUTDOWN_TIMEOUT_MS'],
  ] as const) {
    if (Number(values[name]) >= Number(values[limit])) {
      yield { name, reason: `must be less than ${limit}, which is ${values[limit]}` };
    }
  }
}

function* productionConflicts(values: Partial<Variables>) {
  if (values.NODE_ENV !== 'production') return;
  for (const name of ['JWT_SECRET', 'JWT_SECRET_PREVIOUS'] as const) {
    const secret = values[name];
    if (secret !== undefined && (secret === EXAMPLE_SECRET || new Set(secret).size < 8)) {
      yield { name, reason: 'is known or guessable, and refused in production' };
    }
  }
  const { ARGON2_MEMORY_KIB: memory, ARGON2_TIME_COST: passes } = values;
  const floor = ARGON2_FLOORS_KIB[Math.min(Number(passes), ARGON2_FLOORS_KIB.length) - 1];
  if (Number(memory) < Number(floor)) {
    yield {
      name: 'ARGON2_MEMORY_KIB',
      reason: `must be ${floor} or more in production, with ARGON2_TIME_COST=${passes}`,
    };
  }
}
