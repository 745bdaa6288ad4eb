import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Request } from './load.js';

const SCRIPT = `
  local requests, turn = {}, 0
  function init(arguments)
    for request in io.open(arguments[1], 'rb'):read('*a'):gmatch('%Z+') do
      requests[#requests + 1] = request
    end
  end
  function request()
    turn = turn + 1
    return requests[turn % #requests + 1]
  end
  function done(summary, latency)
    local errors = summary.errors
    io.write(string.format('RESULT %d %d %d', summary.requests, latency:percentile(99),
      errors.connect + errors.read + errors.write + errors.status + errors.timeout))
  end`;

/** Whether wrk is installed: it takes a tenth of the processor time of the server that it loads. https://github.com/wg/wrk */
export const hasWrk = spawnSync('wrk', ['--version']).error === undefined;

export function wrk(url: string, requests: readonly Request[], connections: number, seconds: number) {
  const folder = mkdtempSync(join(tmpdir(), 'entries-wrk-'));
  try {
    const [script, file] = [join(folder, 'script.lua'), join(folder, 'requests')];
    writeFileSync(script, SCRIPT);
    writeFileSync(file, requests.map((request) => bytesOf(url, request)).join('\0'));
    const args = ['-t1', `-c${connections}`, `-d${seconds}s`, '-s', script, url, '--', file];
    const output = execFileSync('wrk', args, { encoding: 'utf8' });
    const [, count, p99Micros, failed] = /RESULT (\d+) (\d+) (\d+)/.exec(output) ?? [];
    return { count: Number(count), p99Ms: Number(p99Micros) / 1000, failed: Number(failed) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function bytesOf(url: string, { method, path, headers, body = '' }: Request): string {
  const fields = {
    host: new URL(url).host,
    ...headers,
    ...(body && { 'content-length': Buffer.byteLength(body) }),
  };
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}`);
  return [`${method} ${path} HTTP/1.1`, ...lines, '', body].join('\r\n');
}
