import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { ROOT } from '../scripts/environment.js';
import { createDatabase } from './database.js';
import { fuzz } from './fuzz/fuzz.js';
import { Server } from './server.js';

/**
 * Valid, invalid and hostile requests for every operation of the OpenAPI document: `npm run fuzz`.
 *
 *   --requests <n>   (5000)
 *   --seed <n>       for the same requests again; by default another each time, which is printed
 *
 * exit code: 0 nothing was found, 1 something was
 */
const { values } = parseArgs({
  options: { requests: { type: 'string', default: '5000' }, seed: { type: 'string' } },
});
const seed = Number(values.seed ?? Date.now() % 2 ** 32);
console.log(`seed ${seed}`);

const database = await createDatabase();
try {
  const environment = {
    DATABASE_URL: database.url,
    JWT_SECRET: 'a secret for 1 fuzz, of 32 bytes and more',
    LOG_LEVEL: 'error',
    RATE_LIMIT_ENABLED: 'false',
    // With whatever addresses the requests name.
    TRUST_PROXY: 'on',
    NODE_ENV: 'test',
    ARGON2_MEMORY_KIB: '1024',
    ARGON2_TIME_COST: '1',
  };
  const server = await Server.start([process.execPath, join(ROOT, 'dist/main.js')], environment);
  const started = performance.now();
  const { sent, statuses, faults } = await fuzz({ url: server.url, seed, requests: Number(values.requests) });
  console.log(`${sent} requests in ${Math.round((performance.now() - started) / 1000)} s`, statuses);
  if ((await server.stop()) !== 0) faults.push('the service did not stop with 0');
  for (const fault of faults) console.log(fault);
  console.log(`${faults.length} faults`);
  process.exitCode = faults.length === 0 ? 0 : 1;
} finally {
  await database.remove();
}
