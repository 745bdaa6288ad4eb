import { createHmac, randomUUID, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import pg from 'pg';

/**
 * The hot paths of the entries API by hand, with `node:http` and `pg`: the same statements, the same check of token and
 * owner, the same JSON; no other route, no filters, no log.
 */
const { HOST, PORT, DATABASE_URL, DB_POOL_SIZE, JWT_SECRET = '' } = process.env;
const pool = new pg.Pool({ connectionString: DATABASE_URL, max: Number(DB_POOL_SIZE) });

const COLUMNS = `id, text, mood, category, tags, occurred_at AS "occurredAt", created_at AS "createdAt",
  updated_at AS "updatedAt", version`;
const STATEMENTS = {
  list: `SELECT ${COLUMNS}, coalesce((SELECT revision FROM journals WHERE user_id = $1), 0) AS revision FROM entries
          WHERE user_id = $1 AND deleted_at IS NULL ORDER BY occurred_at DESC, id DESC LIMIT $2`,
  count: 'SELECT count(*)::int AS count FROM entries WHERE user_id = $1 AND deleted_at IS NULL',
  find: `SELECT ${COLUMNS} FROM entries WHERE id = $1 AND user_id = $2 AND deleted_at IS NULL`,
  insert: `
    WITH changed AS (
      INSERT INTO entries (id, user_id, text, search_text, mood, category, tags, occurred_at)
      VALUES ($1, $2, $3, $4, $5, $6, $7, coalesce($8, now())) RETURNING *),
    bumped AS (
      INSERT INTO journals AS journal (user_id, revision)
      SELECT user_id, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint FROM changed
      ON CONFLICT (user_id) DO UPDATE SET revision = greatest(journal.revision + 1, excluded.revision))
    SELECT ${COLUMNS} FROM changed`,
  health: 'SELECT count(*)::int AS count FROM migrations',
};

class Refusal extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

interface Entry {
  readonly id: string;
  readonly occurredAt: Date;
  readonly version: number;
  revision?: string;
}

const query = <Row extends object>(name: keyof typeof STATEMENTS, values: unknown[] = []) =>
  pool.query<Row>({ name, text: STATEMENTS[name], values });

/** @returns the user's id */
function authenticate(authorization = ''): string {
  const [head = '', body = '', signature = ''] = authorization.slice('Bearer '.length).split('.');
  const expected = createHmac('sha256', JWT_SECRET).update(`${head}.${body}`).digest();
  const given = Buffer.from(signature, 'base64url');
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) throw new Refusal(401, 'token');
  const { alg } = JSON.parse(Buffer.from(head, 'base64url').toString()) as { alg: unknown };
  const { sub, iss, aud, exp } = JSON.parse(Buffer.from(body, 'base64url').toString()) as {
    readonly sub: string;
    readonly iss: unknown;
    readonly aud: unknown;
    readonly exp: number;
  };
  if (alg !== 'HS256' || iss !== 'entries' || aud !== 'entries' || exp * 1000 < Date.now())
    throw new Refusal(401, 'token');
  return sub;
}

/** By user: the total of the last revision. */
const totals = new Map<string, { readonly revision: string; readonly count: number }>();

async function totalOf(userId: string, revision: string): Promise<number> {
  const known = totals.get(userId);
  if (known?.revision === revision) return known.count;
  const { rows } = await query<{ count: number }>('count', [userId]);
  const count = rows[0]?.count ?? 0;
  totals.set(userId, { revision, count });
  return count;
}

async function list(userId: string, limit: number): Promise<object> {
  if (!Number.isInteger(limit) || limit < 1 || limit > 100) throw new Refusal(400, 'limit');
  const { rows } = await query<Entry>('list', [userId, limit + 1]);
  const total = await totalOf(userId, rows[0]?.revision ?? '');
  for (const row of rows) delete row.revision;
  const entries = rows.slice(0, limit);
  const last = rows.length > limit ? entries.at(-1) : undefined;
  const nextCursor = last
    ? Buffer.from(JSON.stringify([last.occurredAt, last.id])).toString('base64url')
    : null;
  return { entries, total, limit, nextCursor };
}

async function create(userId: string, body: unknown): Promise<Entry> {
  const { text, mood, category = 'general', tags = [], occurredAt = null } = body as Record<string, unknown>;
  if (typeof text !== 'string' || text === '' || text.length > 10_000) throw new Refusal(422, 'text');
  if (!Number.isInteger(mood) || Number(mood) < 1 || Number(mood) > 10) throw new Refusal(422, 'mood');
  if (!Array.isArray(tags) || tags.length > 20) throw new Refusal(422, 'tags');
  const label = (value: unknown) => String(value).trim().toLowerCase();
  const values = [
    randomUUID(),
    userId,
    text,
    text.toLowerCase(),
    mood,
    label(category),
    tags.map(label).sort(),
    occurredAt,
  ];
  const { rows } = await query<Entry>('insert', values);
  if (!rows[0]) throw new Error('INSERT returned no row');
  return rows[0];
}

async function readBody(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    if ((length += chunk.length) > 1_048_576) throw new Refusal(413, 'body');
  }
  return JSON.parse(Buffer.concat(chunks).toString());
}

async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { method, headers, url = '' } = request;
  const [path = '', search] = url.split('?', 2);
  if (path === '/health') {
    await query('health');
    const info = { database: { status: 'up' }, migrations: { status: 'up', pending: 0 } };
    send(response, 200, { status: 'ok', info, error: {}, details: info });
    return;
  }
  const userId = authenticate(headers.authorization);
  if (path === '/entries' && method === 'GET') {
    send(response, 200, await list(userId, Number(new URLSearchParams(search).get('limit') ?? 20)));
  } else if (path === '/entries' && method === 'POST') {
    const entry = await create(userId, await readBody(request));
    send(response, 201, entry, { etag: `"${entry.version}"`, location: `/entries/${entry.id}` });
  } else if (path.startsWith('/entries/') && method === 'GET') {
    const { rows } = await query<Entry>('find', [path.slice('/entries/'.length), userId]);
    if (!rows[0]) throw new Refusal(404, 'entry');
    send(response, 200, rows[0], { etag: `"${rows[0].version}"` });
  } else {
    throw new Refusal(404, 'path');
  }
}

function send(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Record<string, string> = {},
): void {
  const json = JSON.stringify(body);
  response.writeHead(status, {
    'content-type': 'application/json; charset=utf-8',
    'content-length': Buffer.byteLength(json),
    ...headers,
  });
  response.end(json);
}

createServer((request, response) => {
  serve(request, response).catch((error: unknown) => {
    const status = error instanceof Refusal ? error.status : 500;
    if (status === 500) console.error(error);
    send(response, status, { status });
  });
}).listen(Number(PORT), HOST);
