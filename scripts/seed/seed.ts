import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { join } from 'node:path';
import { Progress } from '../../src/cli/progress.js';
import { readEnvironment, type Environment } from '../../src/config/environment.js';
import { ROOT, databaseSetting, isSet } from '../environment.js';
import { ExplainedError, explain } from '../explained-error.js';
import { onEmbeddedDatabase } from '../postgres/embedded-postgres.js';
import { WRITERS, diaryOf, type Writer } from './diaries.js';

/**
 * `npm run seed`: ten users with diaries of two years, in the database that `npm start` uses, by the service's own API.
 * Entries that exist already are skipped, so it can be repeated, also beside a running service.
 */

const DAYS = 730;
const PASSWORD = 'correct horse battery staple';

interface Account {
  readonly accessToken: string;
}

try {
  await main();
} catch (error) {
  console.error(`npm run seed: ${explain(error)}`);
  process.exitCode = 1;
}

async function main(): Promise<void> {
  const env = readEnvironment();
  if (env['NODE_ENV'] === 'production')
    throw new ExplainedError('not with NODE_ENV=production: everybody knows the password of these users');
  if (databaseSetting(env) !== undefined) return seed(env, {});
  return onEmbeddedDatabase(
    (line) => console.log(line),
    (url) => seed(env, { DATABASE_URL: url }),
  );
}

async function seed(env: Environment, settings: Readonly<Record<string, string>>): Promise<void> {
  const started = Date.now();
  const service = await startService(env, settings);
  const progress = new Progress(process.stdout, WRITERS.length);
  try {
    let entries = 0;
    for (const [index, writer] of WRITERS.entries()) {
      entries += await importDiary(service.url, writer);
      progress.update(index + 1, entries);
    }
    progress.end();
    const seconds = ((Date.now() - started) / 1000).toFixed(1);
    console.log(`${entries} new entries of ${WRITERS.length} users in ${seconds} s`);
    console.log(`sign in as ${WRITERS.map(({ email }) => email).join(', ')}`);
    console.log(`with the password "${PASSWORD}"`);
  } finally {
    progress.end();
    await service.stop();
  }
}

/** A service of its own, on a free port. Its tokens are for this run only. */
async function startService(env: Environment, settings: Readonly<Record<string, string>>) {
  const child = spawn(process.execPath, [join(ROOT, 'dist', 'main.js')], {
    env: {
      ...process.env,
      ...(isSet(env, 'JWT_SECRET_FILE') ? {} : { JWT_SECRET: randomBytes(48).toString('base64url') }),
      ...settings,
      HOST: '127.0.0.1',
      PORT: '0',
      LOG_FORMAT: 'json',
      LOG_LEVEL: 'info',
      METRICS_ENABLED: 'false',
      RATE_LIMIT_ENABLED: 'false',
      REQUIRE_VERIFIED_EMAIL: 'false',
      REQUIRE_SECOND_FACTOR: 'false',
      // So that these users get no mail.
      NODE_ENV: 'test',
      SMTP_URL: '',
      SMTP_URL_FILE: '',
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  for await (const line of createInterface({ input: child.stdout })) {
    const [, url] = /listening on ([^\s,"]+)/.exec(line) ?? [];
    if (url === undefined) continue;
    child.stdout.resume();
    const stop = async () => {
      child.kill();
      await exited;
    };
    return { url, stop };
  }
  throw new ExplainedError('the service did not start');
}

/** @returns the number of new entries */
async function importDiary(url: string, writer: Writer): Promise<number> {
  const { accessToken } = await signIn(url, writer);
  const authorization = `Bearer ${accessToken}`;
  await call(`${url}/users/me`, 'PATCH', { timezone: writer.timezone }, { authorization });
  const today = Math.floor(Date.now() / 86_400_000);
  const lines = [...diaryOf(writer, today - 1, DAYS)].map((entry) => JSON.stringify(entry));
  const { imported } = await call<{ imported: number }>(`${url}/entries/import`, 'POST', lines.join('\n'), {
    authorization,
    'content-type': 'application/x-ndjson',
  });
  return imported;
}

async function signIn(url: string, { email, displayName }: Writer): Promise<Account> {
  const register = await send(`${url}/auth/register`, 'POST', { email, displayName, password: PASSWORD });
  if (register.status !== 409) return read<Account>(register);
  return call<Account>(`${url}/auth/login`, 'POST', { email, password: PASSWORD });
}

async function call<T>(...request: Parameters<typeof send>): Promise<T> {
  return read<T>(await send(...request));
}

function send(url: string, method: string, body: unknown, headers: Readonly<Record<string, string>> = {}) {
  return fetch(url, {
    method,
    headers: { 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
}

async function read<T>(response: Response): Promise<T> {
  if (!response.ok)
    throw new ExplainedError(
      `${response.url} answered ${response.status}: ${(await response.text()).slice(0, 300)}`,
    );
  return (await response.json()) as T;
}
