import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { ExplainedError } from '../scripts/explained-error.js';

const WARM_UP_SECONDS = 2;

/** @typedef {import('./cases.js').Case} Case */
/** @typedef {import('./server.js').Server} Server */
/** @typedef {import('autocannon').Request} Request */

/**
 * @typedef {object} Round
 * @property {number} perSecond requests answered
 * @property {number} p50Ms
 * @property {number} p99Ms
 * @property {number} cpuUs processor time of the server for each request; NaN where it cannot be told
 */

/**
 * Loads one server by a generator in a process of its own.
 *
 * @param {Server} server
 * @param {Case} what
 * @param {Request[]} requests
 * @param {{ connections: number, seconds: number, signal: AbortSignal }} options
 * @returns {Promise<Round>}
 * @throws {ExplainedError} when any answer has another status, or none comes
 */
export async function loadRound(server, what, requests, { connections, seconds, signal }) {
  signal.throwIfAborted();
  const generator = fork(join(import.meta.dirname, 'load-generator.js'), { detached: true });
  const stop = () => void generator.kill('SIGKILL');
  signal.addEventListener('abort', stop);
  try {
    /** @type {import('./load-generator.js').Task} */
    const task = {
      url: server.url,
      connections,
      warmUpSeconds: WARM_UP_SECONDS,
      seconds,
      requests,
      status: what.status,
    };
    generator.send(task);
    let cpuBefore = NaN;
    /** @type {import('./load-generator.js').Outcome | undefined} */
    let outcome;
    let cpuAfter = NaN;
    generator.on('message', (message) => {
      if (message === 'measuring') cpuBefore = server.cpuMs();
      else if (message === 'measured') cpuAfter = server.cpuMs();
      else outcome = /** @type {import('./load-generator.js').Outcome} */ (message);
    });
    await once(generator, 'exit');
    signal.throwIfAborted();
    if (!server.running) throw new ExplainedError(`${what.title}: ${server.url} ended under load`);
    if (!outcome) throw new ExplainedError(`${what.title}: the load generator failed`);
    if (outcome.failures > 0) throw new ExplainedError(`${what.title}: ${outcome.failures} requests failed`);
    return {
      perSecond: outcome.requests / outcome.seconds,
      p50Ms: outcome.p50Ms,
      p99Ms: outcome.p99Ms,
      cpuUs: ((cpuAfter - cpuBefore) * 1000) / outcome.requests,
    };
  } finally {
    signal.removeEventListener('abort', stop);
    stop();
  }
}

/**
 * Sees that both programs do the same work: their answers are the same, but for what the case says.
 *
 * @param {[Server, Server]} servers
 * @param {Case} what
 * @param {Request} request
 */
export async function compareAnswers(servers, what, request) {
  const [ours, theirs] = await Promise.all(servers.map((server) => answer(server, what, request)));
  assert.deepEqual(theirs, ours, `${what.title}: the peer's answer differs`);
}

/**
 * @param {Server} server
 * @param {Case} what
 * @param {Request} request
 * @returns {Promise<Record<string, unknown>>}
 */
async function answer(server, { title, status, differs = [] }, { method, path, headers, body }) {
  const response = await fetch(server.url + path, { method, headers, ...(body !== undefined && { body }) });
  if (response.status !== status) throw new Error(`${title}: ${response.status} ${await response.text()}`);
  const json = /** @type {Record<string, unknown>} */ (await response.json());
  return { ...json, ...Object.fromEntries(differs.map((name) => [name, typeof json[name]])) };
}
