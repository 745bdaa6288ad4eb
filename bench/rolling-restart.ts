import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { ApiClient } from '../test/harness/http/client.js';
import { query } from '../test/harness/database/database.js';
import { Clients, ReadinessProxy } from '../test/harness/programs/rolling-restart.js';
import { bench } from './harness/bench.js';
import { options } from './harness/options.js';
import { startService, type Server } from './harness/server.js';

/**
 * Restarts two replicas in turns while 200 clients write and read through a proxy that asks for readiness. Exits 1 where
 * a request failed or an acknowledged entry is lost.
 */
const { seconds, clients: count, drain } = options({ seconds: 30, clients: 200, drain: 1000 });
/** One user's writes wait for each other; 20 users' hardly do. */
const USERS = 20;

await bench(async (database) => {
  const proxy = await ReadinessProxy.start();
  const startReplica = async () => {
    const server = await startService(database.url, { SHUTDOWN_DRAIN_MS: String(drain) });
    proxy.add(server.url);
    while (!proxy.isReady(server.url)) await sleep(20);
    return server;
  };
  const replicas = [await startReplica(), await startReplica()];
  const tokens: string[] = [];
  for (let user = 0; user < USERS; user += 1) {
    tokens.push((await new ApiClient(proxy.url).signUp()).account.accessToken);
  }
  const clients = new Clients({ url: proxy.url, tokens, count, pauseMs: 500 });
  const started = performance.now();
  let restarts = 0;
  for (; performance.now() - started < seconds * 1000; restarts += 1) {
    const old = replicas.shift() as Server;
    const code = await old.stop();
    if (code !== 0) throw new Error(`a replica ended with ${String(code)}`);
    proxy.remove(old.url);
    replicas.push(await startReplica());
  }
  await clients.stop();
  const { requests, failed, failures, acknowledged } = clients;
  const kept = await query(database.url, 'SELECT 1 FROM entries WHERE id = ANY ($1)', [acknowledged]);
  console.log(
    `${restarts} restarts in ${((performance.now() - started) / 1000).toFixed(0)} s: ${requests} requests of ${count} clients, ${failed} failed; ` +
      `${acknowledged.length} entries acknowledged, ${kept.length} kept`,
  );
  for (const failure of failures) console.log(`  ${failure}`);
  if (failed > 0 || kept.length !== acknowledged.length) process.exitCode = 1;
  await proxy.close();
});
