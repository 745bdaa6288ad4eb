import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { startService, type TestService } from '../harness/http/service.js';
import type { ApiClient } from '../harness/http/client.js';
import { bumpRevision } from '../harness/entries/journal.js';
import { describeWithRedis, redisUrl } from '../harness/servers/redis.js';

let service: TestService;
beforeAll(async () => {
  service = await startService();
});
afterAll(() => service.close());

/** Few instants for many entries, so that the id has to decide; on both sides of the end of a month. */
const INSTANTS = [
  '2026-01-31T23:59:59.999Z',
  '2026-02-01T00:00:00.000Z',
  '2026-02-01T00:00:00.001Z',
  '2026-04-01T00:00:00Z',
];
const instant = fc.constantFrom(...INSTANTS);
const mood = fc.integer({ min: 1, max: 10 });

/** What others do between two pages: `at` picks an entry of those that may change. */
const disturbance = fc.oneof(
  fc.record({ kind: fc.constant('insert' as const), at: fc.nat(), occurredAt: instant, mood }),
  fc.record({
    kind: fc.constantFrom('patch' as const, 'move' as const, 'delete' as const, 'restore' as const),
    at: fc.nat(),
    occurredAt: instant,
    mood,
  }),
);
type Disturbance = typeof disturbance extends fc.Arbitrary<infer T> ? T : never;

const FILTERS = [
  '',
  '&tag=river',
  '&category=work',
  '&tag=river&category=work',
  '&q=walk',
  '&moodMin=1&from=2026-01-01T00:00:00Z',
];

interface Entry {
  readonly id: string;
  readonly occurredAt: string;
  readonly createdAt: string;
}

async function fill(client: ApiClient, instants: readonly string[]): Promise<Entry[]> {
  const rows = await service.database.query<{ id: string; occurred: Date; created: Date }>(
    `INSERT INTO entries (id, user_id, text, search_text, mood, category, tags, occurred_at, created_at)
     SELECT gen_random_uuid(), $1, 'walk', 'walk', 5, 'work', '{river}', at, at FROM unnest($2::timestamptz[]) AS at
     RETURNING id, occurred_at AS occurred, created_at AS created`,
    [client.account.userId, instants],
  );
  await bumpRevision(service.database, client.account.userId);
  return rows.map(({ id, occurred, created }) => ({
    id,
    occurredAt: occurred.toISOString(),
    createdAt: created.toISOString(),
  }));
}

async function disturb(
  client: ApiClient,
  entries: readonly Entry[],
  { kind, at, occurredAt, mood: itsMood }: Disturbance,
) {
  const userId = client.account.userId;
  const one = entries[at % Math.max(entries.length, 1)]?.id;
  if (kind === 'insert') {
    await client.post('/entries', {
      text: 'walk',
      mood: itsMood,
      category: 'work',
      tags: ['river'],
      occurredAt,
    });
  } else if (one === undefined) {
    return;
  } else if (kind === 'patch') {
    await client.patch(`/entries/${one}`, { mood: itsMood, text: 'walk walk' });
  } else if (kind === 'move') {
    await service.database.query('UPDATE entries SET occurred_at = $2, created_at = $2 WHERE id = $1', [
      one,
      occurredAt,
    ]);
  } else if (kind === 'delete') {
    await client.delete(`/entries/${one}`);
  } else {
    await service.database.query('UPDATE entries SET deleted_at = NULL WHERE user_id = $1', [userId]);
  }
}

describe('paging by cursor', () => {
  it.each(['-occurredAt', 'occurredAt', '-createdAt', 'createdAt'] as const)(
    'by %s returns each unchanged entry once and in order, despite concurrent changes of others',
    async (sort) => {
      await fc.assert(
        fc.asyncProperty(
          fc.array(instant, { maxLength: 12 }),
          fc.array(instant, { maxLength: 8 }),
          fc.array(disturbance, { maxLength: 10 }),
          fc.integer({ min: 1, max: 5 }),
          fc.constantFrom(...FILTERS),
          async (steady, unsteady, disturbances, limit, filters) => {
            const client = await service.signUp();
            const alone = await fill(client, steady);
            const others = await fill(client, unsteady);
            const seen: Entry[] = [];
            const queue = [...disturbances];
            let cursor: string | null = null;
            do {
              const path = `/entries?limit=${limit}&sort=${sort}${filters}${cursor ? `&cursor=${cursor}` : ''}`;
              const { status, body } = await client.get(path);
              expect(status).toBe(200);
              seen.push(...body.entries);
              cursor = body.nextCursor;
              for (const each of queue.splice(0, 2)) await disturb(client, others, each);
            } while (cursor !== null);
            const field = sort.replace('-', '') as 'occurredAt' | 'createdAt';
            const expected = alone.map((entry) => `${entry[field]} ${entry.id}`).sort();
            if (sort.startsWith('-')) expected.reverse();
            const ids = new Set(alone.map(({ id }) => id));
            expect(
              seen.filter(({ id }) => ids.has(id)).map((entry) => `${entry[field]} ${entry.id}`),
            ).toEqual(expected);
            // An entry that was moved may be met twice, at two places. One that was not is met once.
            const keys = seen.map((entry) => `${entry[field]} ${entry.id}`);
            expect(new Set(keys).size).toBe(keys.length);
          },
        ),
        { numRuns: 15 },
      );
    },
  );
});

describe('PATCH /entries/:id by fifty at once', () => {
  it('loses no update that got 200: each created the version that the next one named', async () => {
    const ada = await service.signUp();
    const { id } = (await ada.post('/entries', { text: 'a', mood: 5 })).body;
    let lost = 0;
    const versions = await Promise.all(
      Array.from({ length: 50 }, async (_, i) => {
        for (;;) {
          const { headers } = await ada.get(`/entries/${id}`);
          const response = await ada.patch(
            `/entries/${id}`,
            { text: `by ${i}` },
            { 'if-match': headers.get('etag')! },
          );
          if (response.status === 200)
            return [response.body.version as number, response.body.text as string] as const;
          expect(`${response.status} ${response.text}`).toMatch(/^412 /);
          lost += 1;
        }
      }),
    );
    expect(versions.map(([version]) => version).sort((a, b) => a - b)).toEqual(
      Array.from({ length: 50 }, (_, i) => i + 2),
    );
    expect(new Set(versions.map(([, text]) => text)).size).toBe(50);
    expect((await ada.get(`/entries/${id}`)).body).toMatchObject({
      version: 51,
      text: versions.find(([version]) => version === 51)![1],
    });
    // Without a single conflict it would not have been a race.
    expect(lost).toBeGreaterThan(0);
  });
});

describeWithRedis('lists by way of two replicas with one Redis', () => {
  it('have the total that a count would have, after each of any writes by way of either', async () => {
    const replicas = [
      await startService({ REDIS_URL: redisUrl }, service.database),
      await startService({ REDIS_URL: redisUrl }, service.database),
    ] as const;
    const here = await replicas[0].signUp();
    const clients = [here, replicas[1].anonymous.as(here.account)] as const;
    const action = fc.record({
      by: fc.constantFrom(0 as const, 1 as const),
      kind: fc.constantFrom('insert', 'patch', 'delete', 'restore'),
      at: fc.nat(),
      tags: fc.subarray(['a', 'b']),
    });
    try {
      const ids: string[] = [];
      await fc.assert(
        fc.asyncProperty(action, async ({ by, kind, at, tags }) => {
          const writer = clients[by];
          const reader = clients[by === 0 ? 1 : 0];
          const id = ids[at % Math.max(ids.length, 1)];
          if (kind === 'insert' || id === undefined) {
            ids.push((await writer.post('/entries', { text: 'a', mood: 5, tags })).body.id);
          } else if (kind === 'patch') await writer.patch(`/entries/${id}`, { tags });
          else if (kind === 'delete') await writer.delete(`/entries/${id}`);
          else await writer.post(`/entries/${id}/restore`);
          for (const [filter, condition] of [
            ['', 'true'],
            ['&tag=a', `'a' = ANY (tags)`],
            ['&category=general', 'true'],
          ]) {
            const [row] = await service.database.query<{ count: number }>(
              `SELECT count(*)::int FROM entries WHERE user_id = $1 AND deleted_at IS NULL AND ${condition}`,
              [here.account.userId],
            );
            expect((await reader.get(`/entries?limit=1${filter}`)).body.total).toBe(row!.count);
          }
        }),
        { numRuns: 25 },
      );
    } finally {
      await Promise.all(replicas.map((replica) => replica.close()));
    }
  });
});
