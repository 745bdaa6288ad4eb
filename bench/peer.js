import { createHmac, timingSafeEqual } from 'node:crypto';
import { createServer } from 'node:http';
import pg from 'pg';
import { v7 as uuidv7 } from 'uuid';

/**
 * What the service is measured beside: its hot paths by hand, with `node:http`, `pg` and nothing else.
 *
 * The same as in the service: the access token is checked (HS256, issuer, audience, expiry), ended sessions are
 * refused within a second by the same look at the table, the owner is in every WHERE clause, statements are prepared,
 * totals are kept in memory until a write, a body is checked field by field.
 * Not the same: rows are parsed by `pg` and made JSON by `JSON.stringify`, single entries are not cached, and there is
 * no other route or parameter, request id, header of helmet's, log line, metric or problem document.
 */

const { HOST, PORT, DATABASE_URL, DB_POOL_SIZE, JWT_SECRET } = process.env;

const LOOK_EVERY_MS = 400;
const TRUST_MS = 900;
const MEMORY_SECONDS = 86_405;

const pool = new pg.Pool({ connectionString: DATABASE_URL, max: Number(DB_POOL_SIZE) });

/** @type {Set<string>} */
const ended = new Set();
let lastLook = 0;
/** @type {Map<string, number>} */
const totals = new Map();

class Refusal extends Error {
  /**
   * @param {number} status
   * @param {string} message
   */
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

const ENTRY = `id, text, mood, category, tags, occurred_at AS "occurredAt", created_at AS "createdAt",
  updated_at AS "updatedAt", version`;

const STATEMENTS = {
  list: `SELECT ${ENTRY} FROM entries WHERE user_id = $1 AND deleted_at IS NULL
          ORDER BY occurred_at DESC, id DESC LIMIT $2`,
  count: 'SELECT count(*)::int AS count FROM entries WHERE user_id = $1 AND deleted_at IS NULL',
  find: `SELECT ${ENTRY} FROM entries WHERE id = $1 AND user_id = $2 AND deleted_at IS NULL`,
  insert: `INSERT INTO entries (id, user_id, text, mood, category, tags, occurred_at)
           VALUES ($1, $2, $3, $4, $5, $6, coalesce($7::timestamptz, now())) RETURNING ${ENTRY}`,
  session: 'SELECT 1 FROM sessions WHERE id = $1 AND ended_at IS NULL',
  ended: 'SELECT id FROM sessions WHERE ended_at > now() - make_interval(secs => $1)',
  alive: 'SELECT 1',
  migrationsExist: `SELECT to_regclass('migrations') IS NOT NULL AS exists`,
  migrations: 'SELECT name FROM migrations',
};

/**
 * @param {keyof typeof STATEMENTS} name
 * @param {unknown[]} [values]
 */
function query(name, values) {
  return pool.query({ name, text: STATEMENTS[name], ...(values && { values }) });
}

async function look() {
  const started = Date.now();
  const { rows } = await query('ended', [lastLook === 0 ? MEMORY_SECONDS : (started - lastLook) / 1000 + 5]);
  for (const { id } of rows) ended.add(id);
  lastLook = started;
}

/**
 * @param {string | undefined} authorization
 * @returns {Promise<string>} user id
 */
async function authenticate(authorization) {
  const [head = '', body = '', signature = ''] = authorization?.slice('Bearer '.length).split('.') ?? [];
  const expected = createHmac('sha256', String(JWT_SECRET)).update(`${head}.${body}`).digest();
  const given = Buffer.from(signature, 'base64url');
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) throw new Refusal(401, 'token');
  const { alg } = JSON.parse(Buffer.from(head, 'base64url').toString());
  const { sub, sid, iss, aud, exp } = JSON.parse(Buffer.from(body, 'base64url').toString());
  if (alg !== 'HS256' || iss !== 'entries' || aud !== 'entries' || exp * 1000 < Date.now()) {
    throw new Refusal(401, 'token');
  }
  if (ended.has(sid)) throw new Refusal(401, 'session');
  if (Date.now() - lastLook > TRUST_MS && (await query('session', [sid])).rowCount === 0) {
    throw new Refusal(401, 'session');
  }
  return sub;
}

/**
 * @param {string} userId
 * @param {number} limit
 */
async function list(userId, limit) {
  const [{ rows }, total] = await Promise.all([query('list', [userId, limit + 1]), totalOf(userId)]);
  const entries = rows.slice(0, limit);
  const last = rows.length > limit ? entries.at(-1) : undefined;
  const nextCursor = last
    ? Buffer.from(JSON.stringify([last.occurredAt, last.id])).toString('base64url')
    : null;
  return { entries, total, limit, nextCursor };
}

/** @param {string} userId */
async function totalOf(userId) {
  const known = totals.get(userId);
  if (known !== undefined) return known;
  const { rows } = await query('count', [userId]);
  totals.set(userId, rows[0].count);
  return rows[0].count;
}

/**
 * @param {string} userId
 * @param {unknown} body
 */
async function create(userId, body) {
  const { text, mood, category, tags, occurredAt } = checked(body);
  const { rows } = await query('insert', [uuidv7(), userId, text, mood, category, tags, occurredAt]);
  totals.delete(userId);
  return rows[0];
}

/** @param {any} body */
function checked(body) {
  if (typeof body !== 'object' || body === null) throw new Refusal(422, 'body');
  const { text, mood, category = 'general', tags = [], occurredAt = null, ...unknown } = body;
  if (Object.keys(unknown).length > 0) throw new Refusal(422, 'unknown field');
  if (!Number.isInteger(mood) || mood < 1 || mood > 10) throw new Refusal(422, 'mood');
  if (!isText(text, 10_000)) throw new Refusal(422, 'text');
  if (occurredAt !== null && Number.isNaN(Date.parse(occurredAt))) throw new Refusal(422, 'occurredAt');
  if (!Array.isArray(tags) || tags.length > 20) throw new Refusal(422, 'tags');
  return { text, mood, category: label(category), tags: [...new Set(tags.map(label))].sort(), occurredAt };
}

/** @param {unknown} value */
function label(value) {
  const text = String(value).trim().toLowerCase().normalize('NFC');
  if (!isText(text, 50)) throw new Refusal(422, 'label');
  return text;
}

/**
 * @param {unknown} value
 * @param {number} max
 */
function isText(value, max) {
  return (
    typeof value === 'string' &&
    value.length > 0 &&
    value.length <= max &&
    !value.includes('\0') &&
    value.isWellFormed()
  );
}

async function health() {
  const migrations = query('migrationsExist').then(() => query('migrations'));
  await Promise.all([query('alive'), migrations]);
  const info = {
    database: { status: 'up' },
    migrations: { pending: 0, status: 'up' },
    cache: { store: 'memory', status: 'up' },
  };
  return { status: 'ok', info, error: {}, details: info };
}

/** @param {import('node:http').IncomingMessage} request */
async function readBody(request) {
  const chunks = [];
  let length = 0;
  for await (const chunk of request) {
    chunks.push(chunk);
    if ((length += chunk.length) > 1_048_576) throw new Refusal(413, 'body');
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString());
  } catch {
    throw new Refusal(400, 'body');
  }
}

/**
 * @param {import('node:http').IncomingMessage} request
 * @param {import('node:http').ServerResponse} response
 */
async function serve(request, response) {
  const { method, headers } = request;
  const [path = '', search] = (request.url ?? '').split('?', 2);
  if (path === '/health') return send(response, 200, await health());
  const userId = await authenticate(headers.authorization);
  if (path === '/entries' && method === 'GET') {
    const limit = Number(new URLSearchParams(search).get('limit') ?? 20);
    if (!Number.isInteger(limit) || limit < 1 || limit > 100) throw new Refusal(400, 'limit');
    return send(response, 200, await list(userId, limit));
  }
  if (path === '/entries' && method === 'POST') {
    const entry = await create(userId, await readBody(request));
    return send(response, 201, entry, { etag: `"${entry.version}"`, location: `/entries/${entry.id}` });
  }
  if (path.startsWith('/entries/') && method === 'GET') {
    const { rows } = await query('find', [path.slice('/entries/'.length), userId]);
    if (!rows[0]) throw new Refusal(404, 'entry');
    return send(response, 200, rows[0], { etag: `"${rows[0].version}"` });
  }
  throw new Refusal(404, 'path');
}

/**
 * @param {import('node:http').ServerResponse} response
 * @param {number} status
 * @param {unknown} body
 * @param {Record<string, string>} [headers]
 */
function send(response, status, body, headers) {
  const json = JSON.stringify(body);
  response.writeHead(status, {
    'content-type': 'application/json; charset=utf-8',
    'content-length': Buffer.byteLength(json),
    ...headers,
  });
  response.end(json);
}

await look();
setInterval(() => look().catch(() => {}), LOOK_EVERY_MS);

const server = createServer((request, response) => {
  serve(request, response).catch((error) => {
    const status = error instanceof Refusal ? error.status : 500;
    if (status === 500) console.error(error);
    send(response, status, { status, detail: error.message });
  });
});
server.listen(Number(PORT), HOST);

for (const event of ['SIGTERM', 'disconnect']) process.once(event, () => process.exit(0));
