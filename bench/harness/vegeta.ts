import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { STATE_FOLDER } from '../../scripts/environment.js';
import type { Request } from './load.js';
import { percentile } from './report.js';

/** https://github.com/tsenart/vegeta: sends at a fixed rate, whether or not earlier requests were answered. */
const VERSION = 'v12.13.0';
const FOLDER = join(STATE_FOLDER, 'bench', `vegeta-${VERSION}`);

/** @returns requests/s when each of `connections` sends its next request as soon as it has a response */
export function peakRate(
  url: string,
  requests: readonly Request[],
  connections: number,
  seconds: number,
): number {
  const results = attack(url, requests, ['-rate=0', `-max-workers=${connections}`], seconds);
  const { throughput } = JSON.parse(vegeta(['report', '-type=json'], results).toString()) as {
    throughput: number;
  };
  return throughput;
}

/**
 * @returns for each of `seconds`, the 99th percentile, ms, of requests that arrive `rate` times a second and wait for one
 * of `connections`; Infinity for each if a request failed. One second before, in which the connections open, is left out
 */
export function p99sAtRate(
  url: string,
  requests: readonly Request[],
  connections: number,
  rate: number,
  seconds: number,
): number[] {
  const limits = [`-rate=${Math.round(rate)}`, `-max-connections=${connections}`];
  const results = attack(url, requests, limits, seconds + 1);
  // Time, ns since 1970; status; latency, ns; and more.
  const rows = vegeta(['encode', '-to=csv'], results)
    .toString()
    .trim()
    .split('\n')
    .map((line) => line.split(',').map(Number));
  if (rows.some(([, status = 0]) => status === 0 || status >= 400))
    return Array<number>(seconds).fill(Infinity);
  const start = rows.reduce((first, [at = 0]) => Math.min(first, at), Infinity);
  const bySecond = Array.from({ length: seconds }, (): number[] => []);
  for (const [at = 0, , latency = 0] of rows)
    bySecond[Math.floor((at - start) / 1e9) - 1]?.push(latency / 1e6);
  return bySecond.map((latencies) => percentile(latencies, 99));
}

/** @returns results in vegeta's own format */
function attack(url: string, requests: readonly Request[], rate: readonly string[], seconds: number): Buffer {
  const targets = requests.map(({ method, path, headers, body }) => ({
    method,
    url: url + path,
    header: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, [value]])),
    ...(body !== undefined && { body: Buffer.from(body).toString('base64') }),
  }));
  // vegeta ignores a last line without a line feed.
  const input = targets.map((target) => `${JSON.stringify(target)}\n`).join('');
  const args = ['attack', '-format=json', '-max-body=0', ...rate, `-duration=${seconds}s`];
  return vegeta(args, input);
}

function vegeta(args: readonly string[], input: string | Buffer): Buffer {
  // Not on the terminal: at the end of an attack vegeta names each request that it cancels.
  return execFileSync(program(), args, { maxBuffer: 1024 ** 3, stdio: 'pipe', input });
}

function program(): string {
  const file = join(FOLDER, 'vegeta');
  if (!existsSync(file)) {
    const env = { ...process.env, GOBIN: FOLDER };
    execFileSync('go', ['install', `github.com/tsenart/vegeta/v12@${VERSION}`], { env, stdio: 'inherit' });
  }
  return file;
}
