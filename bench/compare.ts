import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import autocannon from 'autocannon';
import { build } from 'esbuild';
import { ROOT } from '../scripts/environment.js';
import { createDatabase, fill, pickEntries, query, USERS } from './database.js';
import { Server } from './server.js';
import { signUp } from './sign-up.js';

/**
 * `npm run bench:compare`: our service beside three peers that do the same work, on the same database, in turns, so that
 * what else the machine does meets all of them. Prints medians over the rounds, with the least and the most.
 */
const { values: options } = parseArgs({
  options: {
    only: { type: 'string', multiple: true },
    seconds: { type: 'string', default: '4' },
    rounds: { type: 'string', default: '5' },
    connections: { type: 'string', default: '32' },
    /** Another build of our service than dist/main.js. */
    program: { type: 'string', default: join(ROOT, 'dist', 'main.js') },
    /** A build of an earlier release, on a database of its own. */
    before: { type: 'string' },
    /** The Node that runs the services: `--node node_modules/.bin/node` of the package `node`. */
    node: { type: 'string', default: process.execPath },
  },
});
const [seconds, rounds, connections] = [options.seconds, options.rounds, options.connections].map(Number) as [
  number,
  number,
  number,
];
/** V8 still optimizes after two: a list took 460 µs then, and 290 µs after six. */
const WARM_UP_SECONDS = 6;
const JWT_SECRET = 'a-secret-of-the-benchmark-0123456789abcdef';
const hasWrk = spawnSync('wrk', ['--version']).error === undefined;

interface Program {
  readonly name: string;
  readonly server: Server;
  readonly tokens: readonly string[];
  /** Of single entries, each with the token of its owner. */
  readonly entries: readonly { readonly path: string; readonly token: string }[];
}

interface Request {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
}

interface Figures {
  readonly perSecond: number;
  readonly cpuMicros: number;
  readonly p99Ms: number;
  readonly rssMiB: number;
}

const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
const ENTRY = JSON.stringify({
  text: 'Walked by the river and wrote it down.',
  mood: 7,
  category: 'health',
  tags: ['river', 'walk'],
});

const list = ({ tokens }: Program): Request[] =>
  tokens.map((token) => ({ method: 'GET', path: '/entries?limit=20', headers: bearer(token) }));

/** What is asked, for each case. A program that gives no requests is left out of it. */
const CASES: Readonly<Record<string, (program: Program) => Request[] | Promise<Request[]>>> = {
  list,
  'one entry': ({ entries }) =>
    entries.map(({ path, token }) => ({ method: 'GET', path, headers: bearer(token) })),
  create: ({ tokens }) =>
    tokens.map((token) => ({
      method: 'POST',
      path: '/entries',
      headers: { ...bearer(token), 'content-type': 'application/json' },
      body: ENTRY,
    })),
  'list unchanged': async (program) => {
    const requests: Request[] = [];
    for (const request of list(program)) {
      const response = await fetch(program.server.url + request.path, { headers: request.headers });
      const etag = response.headers.get('etag');
      await response.arrayBuffer();
      // Express hashes the body: the work is done all the same.
      if (etag?.startsWith('W/"1') !== true) return [];
      requests.push({ ...request, headers: { ...request.headers, 'if-none-match': etag } });
    }
    return requests;
  },
  health: () => [{ method: 'GET', path: '/health', headers: {} }],
};

const scratch = mkdtempSync(join(tmpdir(), 'entries-bench-'));
process.once('exit', () => {
  Server.killAll();
  rmSync(scratch, { recursive: true, force: true });
});

const database = await createDatabase();
try {
  const programs = await startAll(database.url);
  const figures = new Map<string, Map<string, Figures[]>>();
  const cases = Object.keys(CASES).filter((name) => options.only?.includes(name) ?? true);
  await compareAnswers(programs.filter(({ name }) => name !== 'before'));
  for (const name of cases) {
    const loads = new Map<Program, Request[]>();
    for (const program of programs) {
      const requests = (await CASES[name]?.(program)) ?? [];
      if (requests.length === 0) continue;
      loads.set(program, requests);
      await load(program, requests, WARM_UP_SECONDS);
    }
    for (let round = 0; round < rounds; round += 1) {
      for (const [program, requests] of loads) {
        const measured = await load(program, requests, seconds);
        const ofCase = figures.get(name) ?? new Map<string, Figures[]>();
        figures.set(name, ofCase.set(program.name, [...(ofCase.get(program.name) ?? []), measured]));
      }
    }
    report(name, figures.get(name) ?? new Map());
  }
  if (cases.includes('list')) await reportLatency(programs, figures.get('list') ?? new Map());
  for (const { server } of programs) await server.stop();
  const [own] = programs;
  if (own && cases.includes('list')) await reportLogging(database.url, own);
} finally {
  await database.remove();
}

async function startAll(url: string): Promise<Program[]> {
  const entries = await startService('entries', options.program, url);
  const accounts = await signUpAll(entries);
  await fill(
    url,
    accounts.map(({ userId }) => userId),
  );
  const known = {
    tokens: accounts.map(({ accessToken }) => accessToken),
    entries: await entriesOf(url, accounts),
  };
  const programs: Program[] = [{ name: 'entries', server: entries, ...known }];
  for (const [name, server] of await startPeers(url)) programs.push({ name, server, ...known });
  if (options.before !== undefined) {
    const own = new URL(url);
    own.pathname = `${own.pathname}_before`;
    await query(url, `CREATE DATABASE ${own.pathname.slice(1)}`);
    const server = await startService('before', resolve(options.before), own.href);
    const its = await signUpAll(server);
    await fill(
      own.href,
      its.map(({ userId }) => userId),
    );
    programs.push({
      name: 'before',
      server,
      tokens: its.map(({ accessToken }) => accessToken),
      entries: await entriesOf(own.href, its),
    });
  }
  return programs;
}

function environment(url: string, more: Readonly<Record<string, string>> = {}) {
  return {
    PATH: process.env['PATH'] ?? '',
    NODE_ENV: 'production',
    DATABASE_URL: url,
    DB_POOL_SIZE: '10',
    JWT_SECRET,
    LOG_LEVEL: 'warn',
    LOG_FORMAT: 'json',
    RATE_LIMIT_ENABLED: 'false',
    JWT_ACCESS_TTL: '12h',
    ...more,
  };
}

function startService(name: string, program: string, url: string, more?: Readonly<Record<string, string>>) {
  if (!existsSync(program)) throw new Error(`${name}: ${program} is missing: run npm run build`);
  return Server.start(program, environment(url, more), {
    signal: new AbortController().signal,
    command: [options.node],
    // Log lines are written all the same: to a file that forgets them.
    output: 'ignore',
  });
}

async function startPeers(url: string): Promise<[string, Server][]> {
  const peers: [string, Server][] = [];
  const built = join(ROOT, '.data', 'bench');
  mkdirSync(built, { recursive: true });
  writeFileSync(join(built, 'package.json'), '{ "type": "module" }');
  for (const name of ['node-http-pg', 'nest-express-typeorm']) {
    const program = join(built, `${name}.js`);
    await build({
      entryPoints: [join(ROOT, 'bench', 'peers', name, 'main.ts')],
      outfile: program,
      bundle: true,
      packages: 'external',
      platform: 'node',
      format: 'esm',
    });
    peers.push([name, await startService(name, program, url)]);
  }
  if (spawnSync('go', ['version']).error === undefined) {
    const program = join(built, 'go-peer');
    execFileSync('go', ['build', '-o', program, '.'], {
      cwd: join(ROOT, 'bench', 'peers', 'go'),
      stdio: 'inherit',
    });
    const signal = new AbortController().signal;
    peers.push(['go', await Server.start(program, environment(url), { signal, command: [] })]);
  } else console.log('no Go toolchain: the peer in Go is left out');
  return peers;
}

async function signUpAll({ url }: Server) {
  const accounts = [];
  for (let user = 0; user < USERS; user += 1) accounts.push(await signUp(url, `user-${user}@example.org`));
  return accounts;
}

async function entriesOf(url: string, accounts: readonly { userId: string; accessToken: string }[]) {
  const tokens = new Map(accounts.map(({ userId, accessToken }) => [userId, accessToken]));
  const picked = await pickEntries(url, 20_000);
  return picked.map(({ id, userId }) => ({ path: `/entries/${id}`, token: tokens.get(userId) ?? '' }));
}

/** All programs must answer one entry alike before any is measured. */
async function compareAnswers(programs: readonly Program[]): Promise<void> {
  const answers = await Promise.all(
    programs.map(async ({ server, entries: [entry] }) => {
      const response = await fetch(server.url + (entry?.path ?? ''), { headers: bearer(entry?.token ?? '') });
      return JSON.stringify(sorted((await response.json()) as object));
    }),
  );
  const different = programs.filter((_program, index) => answers[index] !== answers[0]);
  if (different.length > 0)
    throw new Error(`${different.map(({ name }) => name).join(', ')} answered otherwise`);
}

function sorted(body: object): object {
  return Object.fromEntries(Object.entries(body).sort(([a], [b]) => (a < b ? -1 : 1)));
}

async function load(
  { name, server }: Program,
  requests: readonly Request[],
  duration: number,
): Promise<Figures> {
  const cpuBefore = server.cpuMs();
  const { count, p99Ms, failed } = await (hasWrk ? byWrk : byAutocannon)(server.url, requests, duration);
  const cpuMicros = ((server.cpuMs() - cpuBefore) * 1000) / count;
  if (failed > 0) throw new Error(`${name}: ${failed} of ${count} requests failed`);
  return { perSecond: count / duration, cpuMicros, p99Ms, rssMiB: server.rssMiB() };
}

/** wrk (https://github.com/wg/wrk) needs a tenth of the processor time of the server that it loads. */
async function byWrk(url: string, requests: readonly Request[], duration: number) {
  const script = join(scratch, 'requests.lua');
  const lua = requests.map(({ method, path, headers, body }) => {
    const fields = Object.entries(headers).map(
      ([name, value]) => `[${JSON.stringify(name)}]=${JSON.stringify(value)}`,
    );
    return `wrk.format(${JSON.stringify(method)}, ${JSON.stringify(path)}, {${fields.join(',')}}, ${
      body === undefined ? 'nil' : JSON.stringify(body)
    })`;
  });
  writeFileSync(
    script,
    `local requests
     function init()
       requests = {${lua.join(',\n')}}
     end
     local next = 0
     function request()
       next = next + 1
       return requests[next % #requests + 1]
     end
     function done(summary, latency)
       local errors = summary.errors
       io.write(string.format('RESULT %d %d %d\\n', summary.requests, latency:percentile(99),
         errors.connect + errors.read + errors.write + errors.status + errors.timeout))
     end`,
  );
  const child = spawn('wrk', ['-t1', `-c${connections}`, `-d${duration}s`, '-s', script, url], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  await once(child, 'exit');
  const [, count = '0', p99 = '0', failed = '1'] = /RESULT (\d+) (\d+) (\d+)/.exec(output) ?? [];
  return { count: Number(count), p99Ms: Number(p99) / 1000, failed: Number(failed) };
}

async function byAutocannon(
  url: string,
  requests: readonly Request[],
  duration: number,
  overallRate?: number,
) {
  const result = await autocannon({
    url,
    connections,
    duration,
    ...(overallRate !== undefined && { overallRate }),
    requests: requests.map((request) => ({ ...request, headers: { ...request.headers } })),
  });
  return {
    count: result.requests.total,
    p99Ms: result.latency.p99,
    failed: result.errors + result.timeouts + result['4xx'] + result['5xx'],
  };
}

function report(name: string, ofPrograms: ReadonlyMap<string, readonly Figures[]>): void {
  console.log(`\n${name}\n`);
  console.log('| program | req/s (least–most) | entries to it | server CPU µs/request | p99 ms | RSS MiB |');
  console.log('| --- | ---: | ---: | ---: | ---: | ---: |');
  const own = median(ofPrograms.get('entries')?.map(({ perSecond }) => perSecond) ?? []);
  for (const [program, figures] of ofPrograms) {
    const rates = figures.map(({ perSecond }) => perSecond);
    const cells = [
      program,
      `${median(rates).toFixed(0)} (${Math.min(...rates).toFixed(0)}–${Math.max(...rates).toFixed(0)})`,
      `${(own / median(rates)).toFixed(2)} ×`,
      median(figures.map(({ cpuMicros }) => cpuMicros)).toFixed(0),
      median(figures.map(({ p99Ms }) => p99Ms)).toFixed(1),
      Math.max(...figures.map(({ rssMiB }) => rssMiB)).toFixed(0),
    ];
    console.log(`| ${cells.join(' | ')} |`);
  }
}

/** At a rate that each can bear: at its peak, every closed loop has the latency of its queue. */
async function reportLatency(
  programs: readonly Program[],
  ofList: ReadonlyMap<string, readonly Figures[]>,
): Promise<void> {
  console.log('\np99 of the list at 70 % of the own peak, ms (autocannon, constant rate)\n');
  for (const program of programs) {
    const peak = median(ofList.get(program.name)?.map(({ perSecond }) => perSecond) ?? []);
    const latencies: number[] = [];
    for (let round = 0; round < 3; round += 1) {
      latencies.push(
        (await byAutocannon(program.server.url, list(program), seconds, Math.round(peak * 0.7))).p99Ms,
      );
    }
    console.log(`- ${program.name}: ${median(latencies)} at ${Math.round(peak * 0.7)} req/s`);
  }
}

/** What the log line of each request and the rate limit cost, as in production. */
async function reportLogging(url: string, { tokens, entries }: Program): Promise<void> {
  console.log('\nlist with LOG_LEVEL=info and rate limits, against warn and none\n');
  const settings = {
    quiet: {},
    'log and limits': {
      LOG_LEVEL: 'info',
      RATE_LIMIT_ENABLED: 'true',
      RATE_LIMIT_USER_PER_MINUTE: '1000000',
    },
  };
  const rates = new Map<string, number[]>();
  const running: Program[] = [];
  for (const [name, more] of Object.entries(settings)) {
    running.push({ name, server: await startService(name, options.program, url, more), tokens, entries });
  }
  for (const program of running) await load(program, list(program), WARM_UP_SECONDS);
  for (let round = 0; round < rounds; round += 1) {
    for (const program of running) {
      const { perSecond } = await load(program, list(program), seconds);
      rates.set(program.name, [...(rates.get(program.name) ?? []), perSecond]);
    }
  }
  for (const { name, server } of running) {
    console.log(`- ${name}: ${median(rates.get(name) ?? []).toFixed(0)} req/s`);
    await server.stop();
  }
}

function median(numbers: readonly number[]): number {
  const sortedNumbers = numbers.toSorted((a, b) => a - b);
  return sortedNumbers[Math.floor(sortedNumbers.length / 2)] ?? NaN;
}
