import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { Client } from 'pg';
import { Statements } from '../../src/database/sql.js';
import { startApp, type TestApp } from '../harness/http/app.js';
import type { ApiClient } from '../harness/http/client.js';

let service: TestApp;
let ada: ApiClient;
interface Sent {
  readonly text: string;
  readonly values?: unknown[];
}

/** What the service has sent to PostgreSQL. */
let sent: Sent[] = [];

interface Plan {
  readonly 'Node Type': string;
  readonly 'Relation Name'?: string;
  readonly 'Index Name'?: string;
  readonly 'Actual Rows': number;
  readonly 'Actual Loops': number;
  readonly Plans?: readonly Plan[];
}

const ENTRIES = 20_000;

beforeAll(async () => {
  service = await startApp();
  ada = await service.signUp();
  const others = await service.signUp();
  // Ten years of one user, among the entries of another.
  await service.database.query(
    `INSERT INTO entries (id, user_id, text, search_text, mood, category, tags, occurred_at, created_at)
     SELECT gen_random_uuid(), CASE WHEN n % 5 = 0 THEN $2::uuid ELSE $1::uuid END, text, text, 1 + n % 10, (ARRAY['work', 'health', 'family'])[1 + n % 3],
            CASE WHEN n % 5000 = 1 THEN '{rare}' WHEN n % 2 = 0 THEN '{common}' ELSE '{}' END::text[], at, at
       FROM (SELECT n, date_trunc('milliseconds', now() - make_interval(hours => 4 * n)) AS at,
                    CASE WHEN n % 2 = 0 THEN 'walked by the river ' ELSE 'stayed at home ' END || n
                      || CASE WHEN n % 5000 = 1 THEN ' zanzibar' ELSE '' END AS text
               FROM generate_series(1, ${ENTRIES}) AS n) AS entry`,
    [ada.account.userId, others.account.userId],
  );
  await service.database.query('VACUUM ANALYZE');
  // Of both the pool and the connection of short reads.
  const statements = Statements.prototype as unknown as { send: (name: string, sent: Sent) => unknown };
  const { send } = statements;
  statements.send = function (name, statement) {
    sent.push(statement);
    return send.call(this, name, statement);
  };
});
afterAll(() => service.close());

/** The nodes of the plans of the statements on entries that a request has sent: of all but those that count. */
async function plansOf(path: string, counting = false): Promise<Plan[]> {
  sent = [];
  const { status, text } = await ada.get(path);
  expect(`${status} ${text}`).toMatch(/^200 /);
  const nodes: Plan[] = [];
  const collect = (plan: Plan): void => {
    nodes.push(plan);
    for (const part of plan.Plans ?? []) collect(part);
  };
  for (const { text: statement, values } of sent.filter(
    (each) => /\bentries\b/.test(each.text) && each.text.startsWith('SELECT count(*)') === counting,
  )) {
    const [row] = await service.database.query<{ 'QUERY PLAN': [{ Plan: Plan }] }>(
      `EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) ${statement}`,
      values,
    );
    collect(row!['QUERY PLAN'][0].Plan);
  }
  expect(nodes.length).toBeGreaterThan(0);
  return nodes;
}

const rowsOf = (plan: Plan) => plan['Actual Rows'] * plan['Actual Loops'];

/** A cursor that leads into the middle. */
async function middle(query: string): Promise<string> {
  const { body } = await ada.get(`/entries?limit=100${query}`);
  return body.nextCursor as string;
}

/** A cursor that leads far on, where there are so many: past page mode, which goes to 10 000. */
async function farOn(query: string, pages = 101): Promise<string> {
  let cursor: string | undefined;
  for (let page = 0; page < pages; page += 1) {
    const { body } = await ada.get(
      `/entries?limit=100${query}${cursor === undefined ? '' : `&cursor=${cursor}`}`,
    );
    cursor = body.nextCursor as string;
  }
  return cursor!;
}

const onEntries = (nodes: readonly Plan[]) =>
  nodes.filter((plan) => plan['Relation Name'] === 'entries' || /^entries_/.test(plan['Index Name'] ?? ''));

/** What a statement has read so far, of its own transaction alone: by triggers too. */
interface Reads {
  readonly table: string;
  readonly whole: number;
  readonly rows: number;
}

describe('the query plans for a user with 16 000 entries', () => {
  it.each<[query: string, index: string, mostRows: number]>([
    ['?limit=20', 'entries_user_id_occurred_at_idx', 30],
    ['?sort=occurredAt', 'entries_user_id_occurred_at_idx', 30],
    ['?sort=-createdAt', 'entries_user_id_created_at_idx', 30],
    ['?sort=createdAt', 'entries_user_id_created_at_idx', 30],
    ['?sort=-occurredAt&cursor', 'entries_user_id_occurred_at_idx', 30],
    ['?sort=createdAt&cursor', 'entries_user_id_created_at_idx', 30],
    ['?category=work', 'entries_category_idx', 30],
    ['?category=work&cursor', 'entries_category_idx', 30],
    ['?tag=common', 'entries_user_id_occurred_at_idx', 60],
    ['?tag=common&sort=createdAt', 'entries_user_id_created_at_idx', 60],
    ['?tag=rare', 'entries_search_text_idx', 30],
    ['?tag=rare&tag=common', 'entries_search_text_idx', 30],
    ['?tag=rare&tag=common&category=health&moodMin=2&sort=-createdAt', 'entries_search_text_idx', 30],
    ['?category=work&sort=-createdAt', 'entries_user_id_created_at_idx', 30],
    ['?q=river', 'entries_user_id_occurred_at_idx', 60],
    ['?q=river&cursor', 'entries_user_id_occurred_at_idx', 60],
    ['?q=river&sort=createdAt', 'entries_user_id_created_at_idx', 60],
    ['?q=zanzibar', 'entries_search_text_idx', 30],
    ['?q=zanzibar+river', 'entries_search_text_idx', 30],
    ['?q=zanzibar&sort=-createdAt', 'entries_search_text_idx', 30],
    ['?q=nowhere', 'entries_search_text_idx', 30],
    ['?page=100&limit=100', 'entries_user_id_occurred_at_idx', 10_001],
    ['?page=100&limit=100&sort=createdAt', 'entries_user_id_created_at_idx', 10_001],
  ])(
    'GET /entries%s: by %s, with no more than %d rows of entries in hand',
    async (query, index, mostRows) => {
      const [plain, cursor] = query.split('&cursor');
      const path = `/entries${plain}${cursor === undefined ? '' : `&cursor=${await middle(plain!.replace('?', '&'))}`}`;
      const nodes = await plansOf(path);
      const read = onEntries(nodes);
      expect(read.map((plan) => plan['Index Name'])).toContain(index);
      expect(read.map((plan) => plan['Node Type'])).not.toContain('Seq Scan');
      for (const plan of read.filter((each) => each['Relation Name'] === 'entries')) {
        expect([plan['Node Type'], rowsOf(plan) <= mostRows]).toEqual([plan['Node Type'], true]);
      }
      for (const plan of nodes.filter((each) => each['Node Type'].includes('Sort'))) {
        expect(rowsOf(plan.Plans![0]!)).toBeLessThanOrEqual(mostRows);
      }
    },
  );

  it.each([
    ['-occurredAt', 'entries_user_id_occurred_at_idx'],
    ['occurredAt', 'entries_user_id_occurred_at_idx'],
    ['-createdAt', 'entries_user_id_created_at_idx'],
    ['createdAt', 'entries_user_id_created_at_idx'],
  ])('GET /entries?sort=%s 10 100 entries on: by %s, and no more than the page', async (sort, index) => {
    const nodes = onEntries(await plansOf(`/entries?sort=${sort}&cursor=${await farOn(`&sort=${sort}`)}`));
    expect(nodes.map((plan) => [plan['Node Type'], plan['Index Name'], rowsOf(plan)])).toEqual([
      ['Index Scan', index, 21],
    ]);
  });

  it('GET /entries/:id: by its id', async () => {
    const [row] = await service.database.query<{ id: string }>(
      'SELECT id FROM entries WHERE user_id = $1 LIMIT 1',
      [ada.account.userId],
    );
    const nodes = onEntries(await plansOf(`/entries/${row!.id}`));
    expect(nodes.map((plan) => [plan['Node Type'], plan['Index Name'], rowsOf(plan)])).toEqual([
      ['Index Scan', 'entries_pkey', 1],
    ]);
  });

  it.each([
    ['', 'entries_user_id_occurred_at_idx'],
    ['?limit=100&sort=createdAt', 'entries_user_id_created_at_idx'],
    ['?sort=occurredAt&cursor', 'entries_user_id_occurred_at_idx'],
  ])('GET /entries%s: its plan, by %s, is kept for all users and limits', async (query, index) => {
    const [plain, cursor] = query.split('&cursor');
    const path = `/entries${plain}${cursor === undefined ? '' : `&cursor=${await middle('&sort=occurredAt')}`}`;
    sent = [];
    expect((await ada.get(path)).status).toBe(200);
    const { text, values } = sent.find((each) => each.text.includes('FROM entries'))!;
    const client = new Client({ connectionString: service.database.url });
    await client.connect();
    try {
      // PostgreSQL plans the first five for their values, and then decides.
      for (let time = 0; time < 10; time += 1) await client.query({ name: 'list', text, values: values! });
      const { rows } = await client.query('SELECT generic_plans::int FROM pg_prepared_statements');
      expect(rows).toEqual([{ generic_plans: 5 }]);
      const given = values!.map((value) => client.escapeLiteral(String(value)));
      const plan = await client.query(`EXPLAIN EXECUTE list (${given.join()})`);
      expect(JSON.stringify(plan.rows)).toContain(index);
    } finally {
      await client.end();
    }
  });

  it.each([
    ['ndjson', 'entries_user_id_created_at_idx'],
    ['markdown', 'entries_user_id_occurred_at_idx'],
  ])('GET /entries/export?format=%s: by %s, and no more than a batch at a time', async (format, index) => {
    const nodes = onEntries(await plansOf(`/entries/export?format=${format}`));
    expect(nodes.map((plan) => plan['Node Type'])).not.toContain('Seq Scan');
    for (const plan of nodes) {
      // The planner sorts a last rest that is little more than a batch.
      expect([plan['Index Name'] ?? index, rowsOf(plan) <= 500]).toEqual([index, true]);
    }
  });

  it.each([
    ['?category=work', 'entries_category_idx', 0],
    ['?tag=rare', 'entries_search_text_idx', 30],
    ['?q=zanzibar', 'entries_search_text_idx', 30],
  ])(
    'the total of GET /entries%s: by %s, with no more than %d rows of entries read',
    async (query, index, most) => {
      // Of another revision than before, so that no cache answers.
      await ada.post('/entries', { text: 'a', mood: 5 });
      await service.database.query('VACUUM entries');
      const nodes = onEntries(await plansOf(`/entries${query}`, true));
      expect(nodes.map((plan) => plan['Index Name'])).toContain(index);
      const read = nodes.filter((plan) => /^(Seq|Index|Bitmap Heap) Scan$/.test(plan['Node Type']));
      expect(read.reduce((sum, plan) => sum + rowsOf(plan), 0)).toBeLessThanOrEqual(most);
    },
  );

  it('POST, PATCH and DELETE: no table is read as a whole', async () => {
    const { id } = (await ada.post('/entries', { text: 'a', mood: 5, tags: ['common'] })).body;
    for (const write of [
      () => ada.post('/entries', { text: 'a', mood: 5, tags: ['common'] }),
      () => ada.patch(`/entries/${id}`, { mood: 6, tags: ['rare'] }),
      () => ada.delete(`/entries/${id}`),
    ]) {
      sent = [];
      expect((await write()).status).toBeLessThan(300);
      const statement = sent.find(({ text }) => /\b(INSERT INTO|UPDATE) entries\b/.test(text))!;
      const reads = await readsOf(statement);
      expect(reads.map(({ table }) => table)).toContain('journals');
      for (const { table, whole, rows } of reads) {
        expect({ table, whole, rows: rows <= 10 }).toEqual({ table, whole: 0, rows: true });
      }
    }
  });

  it.each([
    ['', 1],
    ['?bucket=month&timezone=Asia/Kolkata', 1],
    ['?from=2026-03-01T00:00:00Z&to=2026-04-01T00:00:00Z', 2],
  ])('GET /entries/stats%s: reads each entry %d times at most', async (query, times) => {
    await ada.post('/entries', { text: 'a', mood: 5 });
    const nodes = await plansOf(`/entries/stats${query}`);
    const read = nodes.filter((plan) => plan['Relation Name'] === 'entries');
    expect(read.reduce((sum, plan) => sum + rowsOf(plan), 0)).toBeLessThanOrEqual(times * ENTRIES);
  });
});

/** Carries a statement out again, with what it has written undone, and its own row where it makes one. */
async function readsOf({ text, values = [] }: Sent): Promise<Reads[]> {
  const client = new Client({ connectionString: service.database.url });
  await client.connect();
  try {
    await client.query('BEGIN');
    // A table of a few rows, as that of users here, is otherwise read as a whole with good reason.
    await client.query('SET LOCAL enable_seqscan = off');
    const isInsert = text.includes('INSERT INTO entries');
    if (!isInsert) await client.query('UPDATE entries SET deleted_at = NULL WHERE id = $1', [values[0]]);
    const before = await client.query<Reads>(READS);
    const { rowCount } = await client.query(text, isInsert ? [randomUUID(), ...values.slice(1)] : values);
    expect(rowCount).toBe(1);
    const { rows } = await client.query<Reads>(READS);
    return rows
      .map(({ table, whole, rows: read }) => {
        const earlier = before.rows.find((each) => each.table === table);
        return { table, whole: whole - (earlier?.whole ?? 0), rows: read - (earlier?.rows ?? 0) };
      })
      .filter(({ whole, rows: read }) => whole + read > 0);
  } finally {
    await client.end();
  }
}

const READS = `
  SELECT relname AS table, seq_scan::int AS whole, (seq_tup_read + coalesce(idx_tup_fetch, 0))::int AS rows
    FROM pg_stat_xact_user_tables`;
