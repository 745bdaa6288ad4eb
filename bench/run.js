import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync } from 'node:fs';
import { availableParallelism, constants } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ROOT } from '../scripts/environment.js';
import { ExplainedError, explain, shortPath } from '../scripts/explained-error.js';
import { CASES, ENTRIES_ASKED_FOR } from './cases.js';
import { createDatabase, ENTRIES, fill, pickEntries, USERS } from './database.js';
import { compareAnswers, loadRound } from './measure.js';
import { readOptions, USAGE } from './options.js';
import { asMarkdown, asText, bootTable, loadTable } from './report.js';
import { Server } from './server.js';
import { signUp } from './sign-up.js';

/** `npm run bench`: the service beside a peer written by hand, on one database. docs/performance.md explains it. */

const PEER = join(ROOT, 'bench', 'peer.js');
const POOL_SIZE = 10;
const BOOTS = 5;
const SIGN_UPS_AT_ONCE = 4;
const PARENT_CHECK_MS = 250;

/** @typedef {import('./options.js').Options} Options */
/** @typedef {import('./cases.js').Subjects} Subjects */

const interruption = new AbortController();
const { signal } = interruption;
for (const name of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) {
  process.on(name, () => interruption.abort(name));
}
// npm passes a SIGTERM on to the shell between us alone, and that ends without a word.
const parent = process.ppid;
setInterval(() => process.ppid === parent || interruption.abort('SIGTERM'), PARENT_CHECK_MS).unref();
process.once('exit', () => Server.killAll());

/** @type {(() => Promise<void>)[]} */
const cleanups = [];
try {
  const options = readOptions(process.argv.slice(2));
  if (options) console.log(await bench(options));
  else console.log(USAGE);
} catch (error) {
  if (signal.aborted) {
    say(`${signal.reason}: stopping`);
    process.exitCode = 128 + constants.signals[/** @type {NodeJS.Signals} */ (signal.reason)];
  } else {
    console.error(
      `bench: ${error instanceof ExplainedError ? explain(error) : /** @type {Error} */ (error).stack}`,
    );
    process.exitCode = 1;
  }
}
for (const cleanup of cleanups.reverse()) {
  await cleanup().catch((error) => console.error(`bench: ${explain(error)}`));
}
// A socket kept alive by fetch would hold the process for some seconds.
process.exit();

/**
 * @param {Options} options
 * @returns {Promise<string>} the report
 */
async function bench(options) {
  if (!existsSync(options.program)) {
    throw new ExplainedError(`${shortPath(options.program)} does not exist: run npm run build`);
  }
  say('starting a database…');
  const database = await createDatabase();
  cleanups.push(database.remove);

  const environment = {
    DATABASE_URL: database.url,
    DB_POOL_SIZE: String(POOL_SIZE),
    JWT_SECRET: randomBytes(48).toString('base64url'),
    // A token outlives the run.
    JWT_ACCESS_TTL: '1d',
    // production: so that no .env is read.
    NODE_ENV: 'production',
    LOG_LEVEL: 'warn',
    LOG_FORMAT: 'json',
    RATE_LIMIT_ENABLED: 'false',
  };
  const programs = [
    { name: 'entries', file: resolve(options.program) },
    { name: 'peer', file: PEER },
  ];
  const subjects = await prepare(programs[0]?.file ?? '', environment, database.url);

  const tables = [];
  if (options.boot) tables.push(bootTable(await measureBoots(programs, environment)));
  if (options.cases.length > 0) {
    const [ours, peer] = programs;
    if (!ours || !peer) throw new Error('unreachable');
    const servers = /** @type {[Server, Server]} */ ([
      await startForLoad(ours.file, environment, [...options.nodeOptions, ...profiling(options.profile)]),
      await startForLoad(peer.file, environment),
    ]);
    tables.push(loadTable(await measureLoad(servers, subjects, options)));
  }
  const format = options.markdown ? asMarkdown : asText;
  return [conditions(options, database.description), ...tables.map(format)].join('\n\n');
}

/**
 * Brings the schema up, signs the users up as they do themselves, and writes their entries.
 *
 * @param {string} program
 * @param {import('./server.js').Environment} environment
 * @param {string} databaseUrl
 * @returns {Promise<Subjects>}
 */
async function prepare(program, environment, databaseUrl) {
  say(`signing up ${USERS} users, writing ${ENTRIES} entries…`);
  const server = await Server.start(program, environment, { signal });
  const accounts = await signUpAll(server).finally(() => server.stop());
  signal.throwIfAborted();
  const userIds = accounts.map(({ userId }) => userId);
  await fill(databaseUrl, userIds);
  signal.throwIfAborted();
  const byUser = new Map(accounts.map((account) => [account.userId, account]));
  const entries = (await pickEntries(databaseUrl, ENTRIES_ASKED_FOR)).map(({ id, userId }) => ({
    id,
    account: /** @type {import('./cases.js').Account} */ (byUser.get(userId)),
  }));
  return { accounts, entries };
}

/**
 * @param {Server} server
 * @returns {Promise<import('./cases.js').Account[]>}
 */
async function signUpAll(server) {
  /** @type {import('./cases.js').Account[]} */
  const accounts = [];
  let next = 0;
  const worker = async () => {
    while (next < USERS) {
      accounts.push(await signUp(server.url, `user-${(next += 1)}@example.org`, signal));
    }
  };
  await Promise.all(Array.from({ length: SIGN_UPS_AT_ONCE }, worker));
  return accounts;
}

/**
 * @param {{ name: string, file: string }[]} programs
 * @param {import('./server.js').Environment} environment
 */
async function measureBoots(programs, environment) {
  say(`booting each program ${BOOTS} times…`);
  /** @type {import('./report.js').Boots[]} */
  const boots = programs.map(({ name }) => ({ program: name, milliseconds: [], rssMiB: [] }));
  for (let round = 0; round < BOOTS; round += 1) {
    for (const [index, { file }] of programs.entries()) {
      const server = await Server.start(file, environment, { signal });
      boots[index]?.milliseconds.push(server.bootMs);
      await sleep(1000);
      boots[index]?.rssMiB.push(server.rssMiB());
      await server.stop();
    }
  }
  return boots;
}

/**
 * @param {string} program
 * @param {import('./server.js').Environment} environment
 * @param {string[]} [nodeOptions]
 */
async function startForLoad(program, environment, nodeOptions) {
  const server = await Server.start(program, environment, { signal, ...(nodeOptions && { nodeOptions }) });
  cleanups.push(() => server.stop());
  return server;
}

/** @param {string | undefined} directory */
function profiling(directory) {
  if (directory === undefined) return [];
  mkdirSync(directory, { recursive: true });
  return ['--cpu-prof', `--cpu-prof-dir=${resolve(directory)}`];
}

/**
 * Each case in rounds, the two programs by turns, so that what the machine does besides meets both.
 *
 * @param {[Server, Server]} servers ours and the peer
 * @param {Subjects} subjects
 * @param {Options} options
 */
async function measureLoad(servers, subjects, { cases, rounds, seconds, connections }) {
  /** @type {[import('./report.js').Measured, import('./report.js').Measured][]} */
  const results = [];
  for (const name of cases) {
    const what = CASES[name];
    if (!what) throw new Error(`no case ${name}`);
    const requests = what.requests(subjects);
    const [sample] = requests;
    if (sample) await compareAnswers(servers, what, sample);
    /** @type {[import('./report.js').Measured, import('./report.js').Measured]} */
    const pair = [
      { title: what.title, program: 'entries', rounds: [], rssMiB: NaN },
      { title: what.title, program: 'peer', rounds: [], rssMiB: NaN },
    ];
    for (let round = 1; round <= rounds; round += 1) {
      for (const [index, server] of servers.entries()) {
        const measured = await loadRound(server, what, requests, { connections, seconds, signal });
        pair[index]?.rounds.push(measured);
        say(
          `${what.title}, round ${round}, ${pair[index]?.program}: ${Math.round(measured.perSecond)} req/s`,
        );
      }
    }
    for (const [index, server] of servers.entries()) {
      const side = pair[index];
      if (side) side.rssMiB = server.rssMiB();
    }
    results.push(pair);
  }
  return results;
}

/**
 * @param {Options} options
 * @param {string} database
 */
function conditions({ seconds, rounds, connections }, database) {
  return (
    `${USERS} users, ${ENTRIES} entries; ${connections} connections, medians of ${rounds} rounds of ${seconds} s; ` +
    `pool of ${POOL_SIZE}; Node ${process.versions.node}, ${database}; everything on the same ` +
    `${availableParallelism()} cores, the load generator too.`
  );
}

/** @param {string} line progress: apart from the report, which may be redirected */
function say(line) {
  console.error(`bench: ${line}`);
}
