import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe } from '@jest/globals';
import { freePort } from '../../../scripts/free-port.js';
import type { TestDatabase } from '../database/database.js';

const NOBODY = 65_534;

/** Left out where there is no PgBouncer; the reporter says so at the end. */
export const describeWithPgBouncer = isInstalled() ? describe : describe.skip;

export interface PgBouncer {
  /** The database, by way of the pooler. */
  readonly url: string;
  stop(): Promise<void>;
}

/** PgBouncer before one database. */
export async function startPgBouncer(
  database: TestDatabase,
  mode: 'transaction' | 'session',
): Promise<PgBouncer> {
  const folder = mkdtempSync(join(tmpdir(), 'entries-pgbouncer-'));
  const target = new URL(database.url);
  const port = await freePort();
  const file = join(folder, 'pgbouncer.ini');
  writeFileSync(
    file,
    [
      '[databases]',
      `${database.name} = host=${target.hostname} port=${target.port} user=${target.username} password=${decodeURIComponent(target.password)}`,
      '[pgbouncer]',
      'listen_addr = 127.0.0.1',
      `listen_port = ${port}`,
      'unix_socket_dir =',
      'auth_type = any',
      `pool_mode = ${mode}`,
      'default_pool_size = 10',
      // Not known to it as parameters of a session: https://www.pgbouncer.org/config.html#ignore_startup_parameters
      'ignore_startup_parameters = statement_timeout',
      'verbose = 0',
    ].join('\n'),
  );
  chmodSync(folder, 0o755);
  const server = spawn('pgbouncer', [file], {
    // It does not run as root.
    ...(process.getuid?.() === 0 && { uid: NOBODY, gid: NOBODY }),
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let log = '';
  await new Promise<void>((resolve, reject) => {
    server.once('exit', () => reject(new Error(`pgbouncer did not start: ${log}`)));
    server.stderr.on('data', (chunk: Buffer) => {
      log += chunk.toString();
      if (log.includes('process up')) resolve();
    });
  });
  return {
    url: `postgres://anybody@127.0.0.1:${port}/${database.name}`,
    stop: async () => {
      server.removeAllListeners('exit');
      const exited = once(server, 'exit');
      server.kill('SIGTERM');
      await exited;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function isInstalled(): boolean {
  try {
    execFileSync('pgbouncer', ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
