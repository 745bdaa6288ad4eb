import { spawn } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import pg from 'pg';
import { startEphemeralCluster } from '../scripts/embedded-postgres.js';
import { ROOT, STATE_FOLDER, makeStateFolder } from '../scripts/environment.js';

/**
 * What the schema's history costs as it grows: `node bench/migrations.js` after `npm run build`.
 *
 * - boot with 0, 100 and 1 000 further migrations that were applied long ago: exec to the first /health 200, and the part
 *   of it that compares the build's migrations with the database's
 * - the migration that adds the tags column, on a table of a million entries: how long, and whether it rewrites the table
 */

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '7' },
    entries: { type: 'string', default: '1000000' },
    markdown: { type: 'boolean', default: false },
  },
});
const ROUNDS = Number(values.rounds);
const ENTRIES = Number(values.entries);
const COUNTS = [0, 100, 1000];
const FIRST_TIMESTAMP = 8_000_000_000_000;
const TAGS = 'AddEntryTags';

const cluster = await startEphemeralCluster();
try {
  const boots = await benchBoot();
  const tags = await benchTags();
  print(boots, tags);
} finally {
  await cluster.stop();
}

/** @param {string} url @param {string} text @param {unknown[]} [parameters] */
async function query(url, text, parameters) {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(text, parameters)).rows;
  } finally {
    await client.end();
  }
}

/** @param {string} name */
async function createDatabase(name) {
  await query(cluster.url('postgres'), `CREATE DATABASE ${name}`);
  return cluster.url(name);
}

/**
 * A build with `count` migrations more, and what `npm run build` says of them.
 *
 * @param {number} count
 */
async function buildWith(count) {
  makeStateFolder();
  const folder = mkdtempSync(join(STATE_FOLDER, 'bench-'));
  cpSync(join(ROOT, 'dist'), folder, { recursive: true });
  for (let index = 1; index <= count; index += 1) {
    const timestamp = FIRST_TIMESTAMP + index;
    writeFileSync(
      join(folder, 'database/migrations', `${timestamp}-Further.js`),
      `export class Further${timestamp} {
  async up(runner) { await runner.query('CREATE TABLE further_${index} (id integer PRIMARY KEY)'); }
  async down(runner) { await runner.query('DROP TABLE further_${index}'); }
}
`,
    );
  }
  await run([join(ROOT, 'scripts/migration-manifest.js'), folder], {});
  return folder;
}

/** @param {string[]} args @param {Record<string, string>} env */
function run(args, env) {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    child.once('error', reject);
    child.once('exit', (code) =>
      code === 0 ? resolve(undefined) : reject(new Error(`${args[0]} exits ${code}`)),
    );
  });
}

/**
 * @param {string} folder of the build
 * @param {string} url of the database
 * @returns {Promise<{ readyMs: number, compareMs: number }>}
 */
async function boot(folder, url) {
  const started = performance.now();
  const child = spawn(process.execPath, [join(folder, 'main.js')], {
    env: {
      PATH: process.env['PATH'],
      NODE_ENV: 'test',
      HOST: '127.0.0.1',
      PORT: '0',
      LOG_FORMAT: 'json',
      DATABASE_URL: url,
      JWT_SECRET: 'a-secret-for-the-benchmark-0123456789',
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let log = '';
  try {
    const address = await new Promise((resolve, reject) => {
      child.once('exit', () => reject(new Error(`it ends: ${log}`)));
      child.stdout.on('data', (/** @type {Buffer} */ chunk) => {
        log += chunk.toString();
        const match = /listening on (\S+?),? /.exec(log);
        if (match) resolve(match[1]);
      });
    });
    const { status } = await fetch(`${address}/health`);
    if (status !== 200) throw new Error(`/health answers ${status}`);
    const readyMs = performance.now() - started;
    const times = log
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line));
    const timeOf = (/** @type {RegExp} */ pattern) =>
      Date.parse(times.find(({ msg }) => pattern.test(msg)).time);
    return { readyMs, compareMs: timeOf(/^migrations/) - timeOf(/^database ready/) };
  } finally {
    child.removeAllListeners('exit');
    child.kill('SIGKILL');
  }
}

async function benchBoot() {
  /** @type {{ count: number, folder: string, url: string, ready: number[], compare: number[] }[]} */
  const cases = [];
  try {
    for (const count of COUNTS) {
      const folder = await buildWith(count);
      const url = await createDatabase(`boot_${count}`);
      // Applied for real, by the command of the image; this is not measured.
      await run([join(folder, 'database/migrate.js'), 'up'], { DATABASE_URL: url, NODE_ENV: 'test' });
      cases.push({ count, folder, url, ready: [], compare: [] });
    }
    for (let round = 0; round <= ROUNDS; round += 1) {
      for (const { folder, url, ready, compare } of cases) {
        const { readyMs, compareMs } = await boot(folder, url);
        // The first round warms the file cache.
        if (round === 0) continue;
        ready.push(readyMs);
        compare.push(compareMs);
      }
    }
    return cases.map(({ count, ready, compare }) => ({
      count,
      readyMs: median(ready),
      compareMs: median(compare),
    }));
  } finally {
    for (const { folder } of cases) rmSync(folder, { recursive: true, force: true });
  }
}

async function benchTags() {
  const url = await createDatabase('tags');
  const before = mkdtempSync(join(STATE_FOLDER, 'bench-'));
  try {
    // The release before tags: its migrations alone.
    cpSync(join(ROOT, 'dist'), before, { recursive: true });
    const { findMigrations } = await import(
      `${new URL('../dist', import.meta.url).href}/database/migration-files.js`
    );
    const all = await findMigrations();
    const index = all.findIndex((/** @type {{ name: string }} */ { name }) => name.startsWith(TAGS));
    for (const { name, timestamp } of all.slice(index)) {
      rmSync(join(before, 'database/migrations', `${timestamp}-${name.slice(0, -13)}.js`));
    }
    await run([join(before, 'database/migrate.js'), 'up'], { DATABASE_URL: url, NODE_ENV: 'test' });
    await query(
      url,
      `INSERT INTO users (id, email, password_hash) VALUES (gen_random_uuid(), 'a@example.org', 'x')`,
    );
    await query(
      url,
      `INSERT INTO entries (id, user_id, text, mood)
       SELECT gen_random_uuid(), (SELECT id FROM users), repeat('word ', 20), 1 + i % 10 FROM generate_series(1, $1::int) i`,
      [ENTRIES],
    );
    const fileOf = async () => (await query(url, `SELECT pg_relation_filenode('entries') AS file`))[0].file;
    const fileBefore = await fileOf();
    await run([join(ROOT, 'dist/database/migrate.js'), 'up'], { DATABASE_URL: url, NODE_ENV: 'test' });
    const [{ duration_ms: durationMs }] = await query(
      url,
      'SELECT duration_ms FROM migration_history WHERE name LIKE $1',
      [`${TAGS}%`],
    );
    return { durationMs, rewritten: (await fileOf()) !== fileBefore };
  } finally {
    rmSync(before, { recursive: true, force: true });
  }
}

/** @param {number[]} numbers */
function median(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? NaN;
}

/**
 * @param {{ count: number, readyMs: number, compareMs: number }[]} boots
 * @param {{ durationMs: number, rewritten: boolean }} tags
 */
function print(boots, tags) {
  const base = boots[0];
  const rows = boots.map(({ count, readyMs, compareMs }) => [
    String(count),
    readyMs.toFixed(0),
    compareMs.toFixed(0),
    count === 0 || !base ? '' : ((readyMs - base.readyMs) / count).toFixed(3),
  ]);
  const header = ['applied migrations more', 'exec to /health 200, ms', 'of it comparing, ms', 'each, ms'];
  if (values.markdown) {
    for (const row of [header, header.map(() => '---'), ...rows]) console.log(`| ${row.join(' | ')} |`);
  } else {
    console.table(rows.map((row) => Object.fromEntries(header.map((name, index) => [name, row[index]]))));
  }
  console.log(
    `\nAddEntryTags on ${ENTRIES} entries: ${tags.durationMs} ms, ` +
      (tags.rewritten ? 'the table was REWRITTEN' : 'the table was not rewritten'),
  );
  if (tags.rewritten) process.exitCode = 1;
}
