import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Client } from 'pg';
import { startService, type TestService } from '../harness/http/service.js';
import type { ApiResponse, ApiClient } from '../harness/http/client.js';
import { expectProblem } from '../harness/http/problem.js';
import { until } from '../harness/until.js';

let service: TestService;
let ada: ApiClient;
beforeAll(async () => {
  service = await startService({ OVERLOAD_SHEDDING: 'true' });
  ada = await service.signUp();
});
afterAll(() => service.close());

const countOf = (responses: readonly ApiResponse[], status: number) =>
  responses.filter((response) => response.status === status).length;

describe('a rush', () => {
  it('serves 200 concurrent logins: none is refused', async () => {
    // Signing in again and again ends the oldest sessions.
    const { email, password } = (await service.signUp()).account;
    const responses = await Promise.all(
      Array.from({ length: 200 }, () => service.anonymous.post('/auth/login', { email, password })),
    );
    expect(new Set(responses.map(({ status, text }) => (status === 200 ? 'signed in' : text)))).toEqual(
      new Set(['signed in']),
    );
  });
});

describe('a slow database', () => {
  it('has requests answered with 503 and Retry-After rather than queued, probes answered, and no write lost', async () => {
    const lock = new Client({ connectionString: service.database.url });
    lock.on('error', () => {});
    await lock.connect();
    await lock.query('BEGIN; LOCK TABLE entries IN SHARE MODE');
    const refused: ApiResponse[] = [];
    const write = async () => {
      const response = await ada.post('/entries', { text: 'under load', mood: 5 });
      if (response.status === 503) refused.push(response);
      return response;
    };
    const writes = Array.from({ length: 600 }, write);
    await until('requests are shed', () => refused.length >= 50);
    for (const response of refused) {
      expectProblem(response, 503);
      expect(response.headers.get('retry-after')).toBe('1');
    }
    expect((await service.anonymous.get('/health/live')).status).toBe(200);
    // All connections wait, and the database is there: no balancer is to leave all of it to the other replicas.
    expect((await service.anonymous.get('/health')).body).toMatchObject({
      status: 'ok',
      details: { database: { status: 'up' }, migrations: { status: 'up' } },
    });
    await lock.end();
    const responses = await Promise.all(writes);
    expect(countOf(responses, 201) + refused.length).toBe(600);
    const [row] = await service.database.query<{ count: number }>('SELECT count(*)::int FROM entries');
    expect(row?.count).toBe(countOf(responses, 201));
    expect((await write()).status).toBe(201);
  });
});
