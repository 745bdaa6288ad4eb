import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startService, type TestService } from '../harness/http/service.js';

let service: TestService;
beforeAll(async () => {
  service = await startService();
});
afterAll(() => service.close());

describe('a migration that changes the type of a column while the service runs', () => {
  it('fails no request, although each connection has statements prepared for the old type', async () => {
    const ada = await service.signUp();
    const use = async (turn: number) => {
      const key = { 'idempotency-key': `turn-${turn}` };
      const created = await ada.post('/entries', { text: 'a', mood: 5 }, key);
      const { id } = created.body;
      const answers = await Promise.all([
        ada.get('/entries'),
        ada.get(`/entries/${id}`),
        ada.patch(`/entries/${id}`, { mood: 6 }),
        ada.get('/entries/stats'),
      ]);
      return [created, ...answers].map(({ status }) => status);
    };
    const served = [201, 200, 200, 200, 200];
    const inParallel = (from: number) =>
      Promise.all(Array.from({ length: 20 }, (_, index) => use(from + index)));
    expect(await inParallel(0)).toEqual(Array.from({ length: 20 }, () => served));
    await service.database.query('ALTER TABLE entries ALTER COLUMN mood TYPE integer');
    expect(await inParallel(20)).toEqual(Array.from({ length: 20 }, () => served));
  });
});
