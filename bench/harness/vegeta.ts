import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { STATE_FOLDER } from '../../scripts/environment.js';
import type { Request } from './load.js';

/** https://github.com/tsenart/vegeta: sends at a fixed rate, whether or not earlier requests were answered. */
const VERSION = 'v12.13.0';
const FOLDER = join(STATE_FOLDER, 'bench', `vegeta-${VERSION}`);

/** @returns the 99th percentile, ms, of requests that arrive `rate` times a second; undefined if some failed */
export function p99AtRate(
  url: string,
  requests: readonly Request[],
  rate: number,
  seconds: number,
): number | undefined {
  const targets = requests.map(({ method, path, headers, body }) =>
    JSON.stringify({
      method,
      url: url + path,
      header: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, [value]])),
      ...(body !== undefined && { body: Buffer.from(body).toString('base64') }),
    }),
  );
  const attack = ['attack', '-format=json', `-rate=${Math.round(rate)}`, `-duration=${seconds}s`];
  const limits = { maxBuffer: 1024 ** 3 };
  const results = execFileSync(program(), attack, { ...limits, input: targets.join('\n') });
  const report = execFileSync(program(), ['report', '-type=json'], { ...limits, input: results });
  const { success, latencies } = JSON.parse(report.toString()) as {
    readonly success: number;
    readonly latencies: { readonly '99th': number };
  };
  return success === 1 ? latencies['99th'] / 1e6 : undefined;
}

function program(): string {
  const file = join(FOLDER, 'vegeta');
  if (!existsSync(file)) {
    const env = { ...process.env, GOBIN: FOLDER };
    execFileSync('go', ['install', `github.com/tsenart/vegeta/v12@${VERSION}`], { env, stdio: 'inherit' });
  }
  return file;
}
