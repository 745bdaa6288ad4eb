import { once } from 'node:events';
import { get as httpGet, type IncomingMessage } from 'node:http';
import { ApiClient } from '../test/harness/http/client.js';
import { query } from '../test/harness/database/database.js';
import { bench } from './harness/bench.js';
import { createDatabase, fill } from './harness/database.js';
import { closedLoop, get, type Request } from './harness/load.js';
import { options } from './harness/options.js';
import { buildGoPeer, buildPeer, hasGo } from './harness/peers.js';
import { median, medianAndRange, percentile, printTable } from './harness/report.js';
import { BUILT_SERVICE, Server, serviceSettings, startService } from './harness/server.js';
import { p99sAtRate, peakRate } from './harness/vegeta.js';
import { hasWrk, wrk } from './harness/wrk.js';

/**
 * Our service beside peers that do the same work, on the same database, in turns, so that whatever else the machine does
 * slows all of them down. Prints medians over the rounds.
 */
const { only, seconds, rounds, connections, program, before } = options({
  /** Names of cases, separated by commas. */
  only: '',
  seconds: 4,
  rounds: 5,
  connections: 32,
  program: BUILT_SERVICE,
  /** dist/main.js of an earlier release, which gets a database of its own. */
  before: '',
});
/** V8 still optimizes after two: a list took 460 µs then, and 290 µs after six. */
const WARM_UP_SECONDS = Math.min(6, seconds * 2);
/** At a peak, the latency of a closed loop is that of its queue. */
const SHARE_OF_PEAK = 0.7;
const USERS = 100;
const ENTRIES = 100_000;

interface Data {
  readonly users: readonly ApiClient[];
  /** Reads of single entries, each by its owner. */
  readonly reads: readonly Request[];
}

interface Program extends Data {
  readonly name: string;
  readonly server: Server;
}

interface Figures {
  readonly perSecond: number;
  readonly cpuMicros: number;
  readonly p99Ms: number;
  readonly rssMiB: number;
}

/** The requests of each case. A program without requests is left out of it. */
const CASES: Readonly<
  Record<string, (program: Program) => readonly Request[] | Promise<readonly Request[]>>
> = {
  list,
  'one entry': ({ reads }) => reads,
  create: ({ users }) =>
    users.map((user) => {
      const { path, headers } = get(user, '/entries');
      const entry = { text: 'Walked by the river.', mood: 7, category: 'health', tags: ['river', 'walk'] };
      const body = JSON.stringify(entry);
      return { method: 'POST', path, headers: { ...headers, 'content-type': 'application/json' }, body };
    }),
  'list unchanged': async (asked) => {
    const requests = list(asked).map(async (request) => {
      // On a connection of its own: those of `fetch` were closed while this process waited for wrk.
      const sent = httpGet(asked.server.url + request.path, { agent: false, headers: request.headers });
      const [response] = (await once(sent, 'response')) as [IncomingMessage];
      response.resume();
      return { etag: response.headers.etag ?? '', request };
    });
    // Express makes its ETag from the body: it does all the work of a list first.
    return (await Promise.all(requests))
      .filter(({ etag }) => etag !== '')
      .map(({ etag, request }) => ({ ...request, headers: { ...request.headers, 'if-none-match': etag } }));
  },
  health: () => [{ method: 'GET', path: '/health', headers: {} }],
};

await bench(async ({ url }) => {
  const service = await startService(url, {}, program);
  const data = await writeData(service, url);
  const programs: Program[] = [{ name: 'entries', server: service, ...data }];
  for (const name of ['node-http-pg', 'nest-express-typeorm']) {
    programs.push({
      name,
      server: await Server.start(await buildPeer(name, 'external'), serviceSettings(url)),
      ...data,
    });
  }
  const go = buildGoPeer();
  if (go) programs.push({ name: 'go', server: await Server.start(go, serviceSettings(url)), ...data });
  else console.log('no Go toolchain: the peer in Go is left out');
  await compareResponses(programs);

  const logging = { LOG_LEVEL: 'info', RATE_LIMIT_ENABLED: 'true', RATE_LIMIT_USER_PER_MINUTE: '1000000' };
  const logged = await startService(url, logging, program);
  programs.push({ name: 'entries, with request logs and rate limits', server: logged, ...data });
  const databaseBefore = before && (await createDatabase());
  if (databaseBefore) {
    const server = await startService(databaseBefore.url, {}, before);
    programs.push({ name: 'before', server, ...(await writeData(server, databaseBefore.url)) });
  }
  for (const name of only ? only.split(',') : Object.keys(CASES)) await measure(name, programs);
  if (databaseBefore) await databaseBefore.remove();
});

async function writeData({ url }: Server, databaseUrl: string): Promise<Data> {
  const users: ApiClient[] = [];
  for (let user = 0; user < USERS; user += 1) users.push(await new ApiClient(url).signUp());
  const byId = new Map(users.map((user) => [user.account.userId, user]));
  await fill(databaseUrl, [...byId.keys()], ENTRIES);
  const picked = await query<{ id: string; userId: string }>(
    databaseUrl,
    'SELECT id, user_id AS "userId" FROM entries ORDER BY md5(id::text) LIMIT 20000',
  );
  return {
    users,
    reads: picked.map(({ id, userId }) => get(byId.get(userId) as ApiClient, `/entries/${id}`)),
  };
}

function list({ users }: Program): Request[] {
  return users.map((user) => get(user, '/entries?limit=20'));
}

/** All programs must give the same response for one entry before any is measured. */
async function compareResponses(programs: readonly Program[]): Promise<void> {
  const responses = await Promise.all(
    programs.map(async ({ server, reads: [read] }) => {
      const response = await fetch(server.url + (read?.path ?? ''), { headers: read?.headers ?? {} });
      return JSON.stringify(Object.entries((await response.json()) as object).toSorted());
    }),
  );
  const different = programs.filter((_, index) => responses[index] !== responses[0]);
  if (different.length > 0)
    throw new Error(`another answer from ${different.map(({ name }) => name).join(', ')}`);
}

async function measure(name: string, programs: readonly Program[]): Promise<void> {
  const measured: {
    asked: Program;
    requests: readonly Request[];
    figures: Figures[];
    peaks: number[];
    p99s: number[];
  }[] = [];
  for (const asked of programs) {
    const requests = (await CASES[name]?.(asked)) ?? [];
    if (requests.length === 0) continue;
    await peakOf(asked, requests, WARM_UP_SECONDS);
    measured.push({ asked, requests, figures: [], peaks: [], p99s: [] });
  }
  for (let round = 0; round < rounds; round += 1) {
    for (const { asked, requests, figures } of measured) figures.push(await peakOf(asked, requests, seconds));
  }
  // Of the peak with vegeta, which takes more of the processor than wrk: 70 % of wrk's peak would be all that is left.
  for (let round = 0; hasGo && round < rounds; round += 1) {
    for (const { asked, requests, peaks } of measured)
      peaks.push(peakRate(asked.server.url, requests, connections, seconds));
  }
  for (let round = 0; hasGo && round < rounds; round += 1) {
    for (const { asked, requests, peaks, p99s } of measured) {
      const rate = median(peaks) * SHARE_OF_PEAK;
      p99s.push(...p99sAtRate(asked.server.url, requests, connections, rate, seconds));
    }
  }
  const rows: string[][] = [];
  const own = median(measured[0]?.figures.map(({ perSecond }) => perSecond) ?? []);
  for (const { asked, figures, peaks, p99s } of measured) {
    const rates = figures.map(({ perSecond }) => perSecond);
    rows.push([
      asked.name,
      medianAndRange(rates),
      `${(own / median(rates)).toFixed(2)} ×`,
      median(figures.map(({ cpuMicros }) => cpuMicros)).toFixed(0),
      median(figures.map(({ p99Ms }) => p99Ms)).toFixed(1),
      hasGo ? (median(peaks) * SHARE_OF_PEAK).toFixed(0) : '',
      hasGo ? medianAndRange(p99s, 1) : '',
      Math.max(...figures.map(({ rssMiB }) => rssMiB)).toFixed(0),
    ]);
  }
  printTable(
    [
      name,
      'req/s (least–most)',
      'entries to it',
      'server CPU µs/request',
      'p99 at its peak, ms',
      `${SHARE_OF_PEAK * 100} % of vegeta's peak, req/s`,
      'p99 of a second at that, ms',
      'RSS MiB',
    ],
    rows,
  );
}

async function peakOf(
  { name, server }: Program,
  requests: readonly Request[],
  duration: number,
): Promise<Figures> {
  const cpuBefore = server.cpuMs();
  const { count, p99Ms, failed } = hasWrk
    ? wrk(server.url, requests, connections, duration)
    : summaryOf(await closedLoop(server.url, requests, connections, duration));
  const cpuMicros = ((server.cpuMs() - cpuBefore) * 1000) / count;
  if (failed > 0) throw new Error(`${name}: ${failed} of ${count} requests failed`);
  return { perSecond: count / duration, cpuMicros, p99Ms, rssMiB: server.rssMiB() };
}

function summaryOf(replies: readonly { readonly status: number; readonly ms: number }[]) {
  return {
    count: replies.length,
    p99Ms: percentile(
      replies.map(({ ms }) => ms),
      99,
    ),
    failed: replies.filter(({ status }) => status === 0 || status >= 400).length,
  };
}
