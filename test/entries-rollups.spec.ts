import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { Client } from 'pg';
import { startApp, type TestApp } from './harness/app.js';
import type { ApiClient } from './harness/client.js';
import { expectRollupsToBeTrue } from './harness/rollups.js';

let service: TestApp;
beforeAll(async () => {
  service = await startApp();
});
afterAll(() => service.close());

const query = (text: string, values: readonly unknown[] = []) => service.database.query(text, values);

/** Few of each, so that writes meet in one day and label; on both sides of the ends of hours, days and months. */
const INSTANTS = [
  '2026-01-31T23:59:59.999Z',
  '2026-02-01T00:00:00.000Z',
  '2026-02-01T00:59:59.999Z',
  '2026-02-01T01:00:00.000Z',
  '0001-01-01T00:00:00.000Z',
  '9999-12-31T23:59:59.999Z',
];
const fields = fc.record({
  mood: fc.integer({ min: 1, max: 10 }),
  category: fc.constantFrom('general', 'work', 'tag'),
  tags: fc.uniqueArray(fc.constantFrom('a', 'b', 'work'), { maxLength: 3 }),
  occurredAt: fc.constantFrom(...INSTANTS),
});
type Fields = typeof fields extends fc.Arbitrary<infer T> ? T : never;

/** What happens to entries; `at` picks one of those that there are. */
const write = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('insert'),
      at: fc.nat(),
      fields,
      count: fc.integer({ min: 1, max: 5 }),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constantFrom(
        'update',
        'update all',
        'text',
        'trash',
        'restore',
        'purge',
        'purge all',
        'roll back',
      ),
      at: fc.nat(),
      fields,
      count: fc.constant(1),
    }),
  },
);

type Write = typeof write extends fc.Arbitrary<infer T> ? T : never;

const COLUMNS = 'text, mood, category, tags, occurred_at';
const valuesOf = ({ mood, category, tags, occurredAt }: Fields) => ['a', mood, category, tags, occurredAt];
const SET =
  '(text, mood, category, tags, occurred_at) = ROW ($2, $3::smallint, $4, $5::text[], $6::timestamptz)';

async function perform(client: Client, userId: string, { kind, at, fields: given, count }: Write) {
  const one = `id = (SELECT id FROM entries WHERE user_id = $1 ORDER BY id OFFSET (${at} % greatest((SELECT count(*) FROM entries WHERE user_id = $1), 1)) LIMIT 1)`;
  const values = [userId, ...valuesOf(given)];
  const insert = `INSERT INTO entries (id, user_id, ${COLUMNS})
    SELECT gen_random_uuid(), $1, $2, $3::smallint, $4, $5::text[], $6::timestamptz FROM generate_series(1, ${count})`;
  switch (kind) {
    case 'insert':
      return client.query(insert, values);
    case 'update':
      return client.query(`UPDATE entries SET ${SET} WHERE ${one}`, values);
    case 'update all':
      return client.query(`UPDATE entries SET ${SET} WHERE user_id = $1`, values);
    case 'text':
      return client.query(`UPDATE entries SET text = 'b', version = version + 1 WHERE ${one}`, [userId]);
    case 'trash':
      return client.query(`UPDATE entries SET deleted_at = now() WHERE ${one}`, [userId]);
    case 'restore':
      return client.query(`UPDATE entries SET deleted_at = NULL WHERE ${one}`, [userId]);
    case 'purge':
      return client.query(`DELETE FROM entries WHERE ${one}`, [userId]);
    case 'purge all':
      return client.query(`DELETE FROM entries WHERE user_id = $1 AND deleted_at IS NOT NULL`, [userId]);
    default:
      await client.query('BEGIN');
      await client.query(insert, values);
      return client.query('ROLLBACK');
  }
}

describe('the numbers kept of entries', () => {
  it('are what counting gives, after any history of writes by several at once', async () => {
    const users = await Promise.all([service.signUp(), service.signUp()]);
    const clients = await Promise.all(
      [0, 1, 2].map(async () => {
        const client = new Client({ connectionString: service.database.url });
        await client.connect();
        return client;
      }),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(write, { maxLength: 8 }), { minLength: 3, maxLength: 3 }),
        async (histories) => {
          await Promise.all(
            histories.map(async (history, index) => {
              for (const each of history) {
                await perform(clients[index]!, users[index % 2]!.account.userId, each);
              }
            }),
          );
          await expectRollupsToBeTrue(service.database);
        },
      ),
      { numRuns: 25 },
    );
    await Promise.all(clients.map((client) => client.end()));
  });

  it('are what counting gives after what the API does, by twenty at once', async () => {
    const ada = await service.signUp();
    const post = async (client: ApiClient, i: number) =>
      (await client.post('/entries', { text: 'a', mood: 1 + (i % 10), tags: [`t${i % 3}`] })).body
        .id as string;
    const ids = await Promise.all(Array.from({ length: 20 }, (_, i) => post(ada, i)));
    await Promise.all([
      ...ids
        .slice(0, 10)
        .map((id, i) => ada.patch(`/entries/${id}`, { mood: 10, occurredAt: INSTANTS[i % 6] })),
      ...ids.slice(5, 15).map((id) => ada.delete(`/entries/${id}`)),
    ]);
    await Promise.all(ids.slice(8, 12).map((id) => ada.post(`/entries/${id}/restore`)));
    await expectRollupsToBeTrue(service.database);
    expect((await ada.get('/entries?limit=1')).body.total).toBe(14);
  });

  it('go with the user, and what is written at that moment with them', async () => {
    const bob = await service.signUp();
    await Promise.all(
      Array.from({ length: 5 }, () => bob.post('/entries', { text: 'a', mood: 5, tags: ['secret'] })),
    );
    await Promise.all([
      query('DELETE FROM users WHERE id = $1', [bob.account.userId]),
      ...Array.from({ length: 5 }, () => bob.post('/entries', { text: 'a', mood: 5, tags: ['secret'] })),
    ]);
    await expectRollupsToBeTrue(service.database);
    expect(await query(`SELECT FROM entry_labels WHERE user_id = $1`, [bob.account.userId])).toEqual([]);
  });

  it('keep no label that is gone', async () => {
    const carol = await service.signUp();
    const { body } = await carol.post('/entries', { text: 'a', mood: 5, tags: ['secret'] });
    await carol.delete(`/entries/${body.id}`);
    expect(await query(`SELECT FROM entry_labels WHERE label = 'secret'`)).toEqual([]);
  });

  it('are counted anew by entries_rebuild_rollups, while others write', async () => {
    const dave = await service.signUp();
    const { userId } = dave.account;
    await dave.post('/entries', { text: 'a', mood: 5 });
    await query('UPDATE entry_days SET counts[24] = 77 WHERE user_id = $1', [userId]);
    await Promise.all([
      ...Array.from({ length: 10 }, () => dave.post('/entries', { text: 'a', mood: 5 })),
      query('SELECT entries_rebuild_rollups($1)', [userId]),
    ]);
    await expectRollupsToBeTrue(service.database);
  });
});
