import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { ROOT } from '../scripts/environment.js';
import { countEntries, createDatabase } from './database.js';
import { Clients, ReadinessProxy } from './readiness-proxy.js';
import { Server } from './server.js';
import { signUp } from './sign-up.js';

/**
 * Restarts two replicas by turns, again and again, while 200 clients write and read through a proxy that asks for
 * readiness: `npm run build && node bench/rolling-restart.js --seconds 30`. Exits 1 where a request failed, or what was
 * acknowledged is not there.
 */
const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '30' },
    clients: { type: 'string', default: '200' },
    'drain-ms': { type: 'string', default: '1000' },
  },
});
/** One user's writes wait for each other; 20 users' hardly do. */
const USERS = 20;
const { signal } = new AbortController();
process.once('exit', () => Server.killAll());

const database = await createDatabase();
const proxy = await ReadinessProxy.start();
const start = async () => {
  const server = await Server.start(
    join(ROOT, 'dist', 'main.js'),
    {
      DATABASE_URL: database.url,
      JWT_SECRET: secret,
      NODE_ENV: 'production',
      LOG_LEVEL: 'warn',
      LOG_FORMAT: 'json',
      RATE_LIMIT_ENABLED: 'false',
      SHUTDOWN_DRAIN_MS: values['drain-ms'],
    },
    { signal },
  );
  proxy.add(server.url);
  while (!proxy.isReady(server.url)) await sleep(20);
  return server;
};
const secret = randomBytes(48).toString('base64url');
try {
  const replicas = [await start(), await start()];
  const tokens = [];
  for (let user = 0; user < USERS; user += 1) {
    tokens.push((await signUp(proxy.url, `user-${user}@example.org`)).accessToken);
  }
  const clients = new Clients({
    url: proxy.url,
    tokens,
    count: Number(values.clients),
    pauseMs: 500,
  });
  const started = performance.now();
  let restarts = 0;
  while (performance.now() - started < Number(values.seconds) * 1000) {
    const old = /** @type {Server} */ (replicas.shift());
    await old.stop();
    const [code] = await old.exited;
    if (code !== 0) throw new Error(`a replica ended with ${code}`);
    proxy.remove(old.url);
    replicas.push(await start());
    restarts += 1;
  }
  await clients.stop();
  const seconds = ((performance.now() - started) / 1000).toFixed(0);
  const kept = await countEntries(database.url, clients.acknowledged);
  console.log(
    `${restarts} restarts in ${seconds} s: ${clients.requests} requests of ${values.clients} clients, ${clients.failed} failed; ` +
      `${clients.acknowledged.length} entries acknowledged, ${kept} kept`,
  );
  for (const failure of clients.failures) console.log(`  ${failure}`);
  if (clients.failed > 0 || kept !== clients.acknowledged.length) process.exitCode = 1;
  await Promise.all(replicas.map((replica) => replica.stop()));
} finally {
  await proxy.close();
  await database.remove();
}
process.exit();
