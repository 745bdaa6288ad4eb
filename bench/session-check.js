import 'reflect-metadata';
import { performance } from 'node:perf_hooks';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { randomUUID } from 'node:crypto';
import { createRequire } from 'node:module';
import pg from 'pg';
import { ROOT } from '../scripts/environment.js';
import { createDatabase } from './database.js';
import { Server } from './server.js';

/**
 * What a request pays to learn that its session lives: `node bench/session-check.js` after `npm run build`. The compiled
 * classes, on a database in which sessions ended lately; and beside it, the check of the token's signature.
 */

const ENDED = 50_000;
const CHECKS = 2_000_000;
const TOKENS = 20_000;
const SECRET = 'the-secret-of-this-benchmark-and-no-other';

/** @param {string} file */
const compiled = (file) => import(pathToFileURL(join(ROOT, 'dist', file)).href);

const database = await createDatabase();
const client = new pg.Client({ connectionString: database.url });
try {
  const environment = { DATABASE_URL: database.url, JWT_SECRET: SECRET, NODE_ENV: 'production' };
  const server = await Server.start(join(ROOT, 'dist', 'main.js'), environment, {
    signal: new AbortController().signal,
  });
  await server.stop();
  await client.connect();
  await client.query(
    `INSERT INTO erased_sessions SELECT gen_random_uuid(), now() FROM generate_series(1, $1)`,
    [ENDED],
  );

  const { loadConfig } = await compiled('config/config.js');
  const { EndedSessions } = await compiled('auth/ended-sessions.js');
  const { AccessTokens } = await compiled('auth/access-tokens.js');
  const config = loadConfig(environment);
  let queries = 0;
  const sql = {
    /** @param {string} _name @param {string} text @param {unknown[]} values */
    query: (_name, text, values) => {
      queries += 1;
      return client.query(text, values);
    },
  };
  const ended = new EndedSessions(sql, config);
  await ended.onModuleInit();
  const ids = Array.from({ length: 1000 }, () => randomUUID());
  // Long enough for some looks at the table to fall into it.
  await time('is the session known to have ended?', CHECKS, (n) => ended.has(ids[n % ids.length]));
  console.log(`of ${ENDED} that ended; ${queries} queries meanwhile, none of them for a request`);
  await ended.onApplicationShutdown();

  const require = createRequire(join(ROOT, 'package.json'));
  const { JwtService } = require('@nestjs/jwt');
  const jwt = new JwtService();
  const tokens = new AccessTokens(jwt, config);
  const token = await tokens.sign(randomUUID(), randomUUID());
  const secret = tokens.secretFor(token);
  await time('is the signature good?', TOKENS, () =>
    jwt.verifyAsync(token, { secret, algorithms: ['HS256'], issuer: 'entries', audience: 'entries' }),
  );
} finally {
  await client.end();
  await database.remove();
}
process.exit();

/** @param {string} what @param {number} count @param {(n: number) => Promise<unknown>} work */
async function time(what, count, work) {
  for (let n = 0; n < count / 10; n++) await work(n);
  const started = performance.now();
  for (let n = 0; n < count; n++) await work(n);
  console.log(`${what} ${(((performance.now() - started) * 1000) / count).toFixed(3)} µs a request`);
}
