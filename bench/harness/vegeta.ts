import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { STATE_FOLDER } from '../../scripts/environment.js';
import type { Request } from './load.js';

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
  const { throughput } = attack(url, requests, ['-rate=0', `-max-workers=${connections}`], seconds);
  return throughput;
}

/**
 * @returns the 99th percentile, ms, of requests that arrive `rate` times a second and wait for one of `connections`;
 * undefined if some failed
 */
export function p99AtRate(
  url: string,
  requests: readonly Request[],
  connections: number,
  rate: number,
  seconds: number,
): number | undefined {
  const limits = [`-rate=${Math.round(rate)}`, `-max-connections=${connections}`];
  const { success, latencies } = attack(url, requests, limits, seconds);
  return success === 1 ? latencies['99th'] / 1e6 : undefined;
}

interface Report {
  readonly success: number;
  readonly throughput: number;
  /** ns */
  readonly latencies: { readonly '99th': number };
}

function attack(url: string, requests: readonly Request[], rate: readonly string[], seconds: number): Report {
  const targets = requests.map(({ method, path, headers, body }) => ({
    method,
    url: url + path,
    header: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, [value]])),
    ...(body !== undefined && { body: Buffer.from(body).toString('base64') }),
  }));
  // vegeta ignores a last line without a line feed.
  const input = targets.map((target) => `${JSON.stringify(target)}\n`).join('');
  // Not on the terminal: at the end of an attack vegeta names each request that it cancels.
  const limits = { maxBuffer: 1024 ** 3, stdio: 'pipe' as const };
  const args = ['attack', '-format=json', ...rate, `-duration=${seconds}s`];
  const results = execFileSync(program(), args, { ...limits, input });
  const report = execFileSync(program(), ['report', '-type=json'], { ...limits, input: results });
  return JSON.parse(report.toString()) as Report;
}

function program(): string {
  const file = join(FOLDER, 'vegeta');
  if (!existsSync(file)) {
    const env = { ...process.env, GOBIN: FOLDER };
    execFileSync('go', ['install', `github.com/tsenart/vegeta/v12@${VERSION}`], { env, stdio: 'inherit' });
  }
  return file;
}
