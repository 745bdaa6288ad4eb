import type { ConfigFault } from './config-error.js';
import { EXAMPLE_SECRET, type Variables } from './config.schema.js';
import type { Environment } from './environment.js';

/** KiB for 1, 2, … passes: https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html */
const ARGON2_FLOORS_KIB = [47_104, 19_456, 12_288, 9216, 7168];

/** @returns the faults between variables; `values` lacks those that are at fault by themselves */
export function findConflicts(values: Partial<Variables>, given: Environment): ConfigFault[] {
  const faults: ConfigFault[] = [];
  const report = (name: string, reason: string) => faults.push({ name, reason });

  // PostgreSQL and Redis may be given as a URL, in parts, or both if they agree.
  for (const [prefix, url] of [
    ['DB_', 'DATABASE_URL'],
    ['REDIS_', 'REDIS_URL'],
  ] as const) {
    for (const [key, part] of Object.entries(values[url] ?? {})) {
      const name = `${prefix}${key.toUpperCase()}` as keyof Variables;
      const differs = given[name] !== undefined && name in values && values[name] !== part;
      if (differs) report(name, `differs from ${url}: set one of them`);
    }
  }
  if (given['DATABASE_URL'] === undefined && given['DB_HOST'] === undefined) {
    report('DATABASE_URL', 'is missing, and so is DB_HOST: set one of them');
  }
  for (const name of ['REDIS_PORT', 'REDIS_PASSWORD']) {
    const hasHost = given['REDIS_URL'] !== undefined || given['REDIS_HOST'] !== undefined;
    if (given[name] && !hasHost) report(name, 'is set, but REDIS_HOST is not');
  }

  for (const [name, limit] of [
    ['ARGON2_CONCURRENCY', 'UV_THREADPOOL_SIZE'],
    ['SHUTDOWN_DRAIN_MS', 'SHUTDOWN_TIMEOUT_MS'],
  ] as const) {
    const exceeds = Number(values[name]) >= Number(values[limit]);
    if (exceeds) report(name, `must be less than ${limit}, which is ${values[limit]}`);
  }

  if (given['SMTP_URL'] !== undefined && given['MAIL_FROM'] === undefined)
    report('MAIL_FROM', 'is missing, but SMTP_URL is set');

  if (values.NODE_ENV !== 'production') return faults;
  if (values.REQUIRE_VERIFIED_EMAIL && given['SMTP_URL'] === undefined)
    report('REQUIRE_VERIFIED_EMAIL', 'needs SMTP_URL: without mail nobody can verify an address');
  if (given['SMTP_URL'] !== undefined && given['PUBLIC_URL'] === undefined)
    report('PUBLIC_URL', 'is missing: links in mails would lead to localhost');
  for (const name of ['JWT_SECRET', 'JWT_SECRET_PREVIOUS'] as const) {
    const isWeak = values[name] === EXAMPLE_SECRET || new Set(values[name]).size < 8;
    if (values[name] && isWeak) report(name, 'is known or guessable, and refused in production');
  }
  const { ARGON2_MEMORY_KIB: memory, ARGON2_TIME_COST: passes } = values;
  const floor = ARGON2_FLOORS_KIB[Math.min(Number(passes), ARGON2_FLOORS_KIB.length) - 1];
  if (Number(memory) < Number(floor)) {
    report('ARGON2_MEMORY_KIB', `must be ${floor} or more in production, with ARGON2_TIME_COST=${passes}`);
  }
  return faults;
}
