import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { URI } from 'otpauth';
import { startService, type TestService } from '../harness/http/service.js';
import { enrol } from '../harness/http/authenticator.js';
import { randomEmail, type ApiClient, type ApiResponse } from '../harness/http/client.js';
import { schemaFaults } from '../harness/http/json-schema.js';
import { OpenApi } from '../harness/http/openapi.js';
import { SmtpServer } from '../harness/servers/smtp-server.js';
import { expectProblem } from '../harness/http/problem.js';

let service: TestService;
let smtp: SmtpServer;
let anonymous: ApiClient;
let api: OpenApi;
beforeAll(async () => {
  smtp = await SmtpServer.start();
  service = await startService(smtp.environment);
  anonymous = service.anonymous;
  api = await OpenApi.of(anonymous);
});
afterAll(async () => {
  await service.close();
  await smtp.stop();
});

describe('the OpenAPI document', () => {
  it('matches each response of a tour of the API', async () => {
    const seen = new Set<string>();
    const email = randomEmail();
    const password = 'correct horse battery';
    const ask = async (client: ApiClient, call: string, options: AskOptions = {}): Promise<ApiResponse> => {
      const [method = '', path = ''] = call.split(' ');
      const { id = '', query = '', ...rest } = options;
      const response = await client.request(method, path.replace('{id}', id) + query, rest);
      expect([call, response.status, faultsOf(call, response)]).toEqual([call, response.status, []]);
      seen.add(`${call} ${response.status}`);
      return response;
    };

    await ask(anonymous, 'GET /health');
    await ask(anonymous, 'GET /health/live');
    await ask(anonymous, 'POST /auth/register', { body: { email, password, displayName: 'Ada' } });
    await ask(anonymous, 'POST /auth/register', { body: { email: randomEmail(), password } });
    await ask(anonymous, 'POST /auth/register', { body: { email, password } });
    await ask(anonymous, 'POST /auth/register', { body: '{' });
    await ask(anonymous, 'POST /auth/register', { body: { email } });
    await ask(anonymous, 'POST /auth/login', { body: { email, password: 'wrong' } });
    await ask(anonymous, 'POST /auth/login', { body: [] });
    await ask(anonymous, 'POST /auth/refresh', { body: { refreshToken: 'wrong' } });
    const forgetful = (await anonymous.signUp()).account.email;
    await ask(anonymous, 'POST /auth/forgot-password', { body: { email: forgetful } });
    await ask(anonymous, 'POST /auth/forgot-password', { body: {} });
    await ask(anonymous, 'POST /auth/reset-password', { body: { token: 'wrong', newPassword: password } });
    await ask(anonymous, 'POST /auth/reset-password', { body: { token: 'wrong', newPassword: '' } });
    await ask(anonymous, 'POST /auth/verify-email', { body: { token: 'wrong' } });
    await ask(anonymous, 'POST /auth/verify-email', { body: {} });
    const verification = { token: await smtp.tokenTo(forgetful, 'verify-email') };
    await ask(anonymous, 'POST /auth/verify-email', { body: verification });
    const token = await smtp.tokenTo(forgetful, 'reset-password');
    await ask(anonymous, 'POST /auth/reset-password', { body: { token, newPassword: password } });
    const login = await ask(anonymous, 'POST /auth/login', { body: { email, password } });
    const { refreshToken } = login.body;
    const refreshed = await ask(anonymous, 'POST /auth/refresh', { body: { refreshToken } });

    const ada = anonymous.withToken(refreshed.body.accessToken);
    await ask(ada, 'GET /users/me');
    await ask(ada, 'PATCH /users/me', { body: { displayName: null, timezone: 'Europe/Vienna' } });
    await ask(ada, 'PATCH /users/me', { body: { timezone: 'Nowhere' } });
    await ask(anonymous, 'GET /users/me');
    await ask(ada, 'GET /users/me/security-events', { query: '?limit=1' });
    await ask(ada, 'GET /users/me/security-events', { query: '?cursor=wrong' });

    const full = { text: 'a', mood: 1, category: 'b', tags: ['c'], occurredAt: '2026-03-01T08:30:00+01:00' };
    const { id } = (await ask(ada, 'POST /entries', { body: full })).body;
    await ask(ada, 'POST /entries', { body: { text: 'a', mood: 10 } });
    await ask(ada, 'POST /entries', { body: { text: 'a', mood: 11 } });
    const keyed = { headers: { 'idempotency-key': 'a' } };
    await ask(ada, 'POST /entries', { body: { text: 'a', mood: 1 }, ...keyed });
    await ask(ada, 'POST /entries', { body: { text: 'a', mood: 1 }, ...keyed });
    await ask(ada, 'POST /entries', { body: { text: 'b', mood: 1 }, ...keyed });
    await ask(ada, 'POST /entries', { body: { text: 'x'.repeat(2_000_000), mood: 5 } });
    await ask(ada, 'POST /entries', { body: 'text', headers: { 'content-type': 'text/plain' } });
    await ask(ada, 'POST /entries/bulk', { body: { entries: [full, { text: 'b', mood: 2 }] } });
    await ask(ada, 'POST /entries/bulk', { body: { entries: [] } });
    await ask(ada, 'GET /entries/export');
    await ask(ada, 'GET /entries/export', { query: '?format=csv&tag=c' });
    await ask(ada, 'GET /entries/export', { query: '?format=markdown' });
    await ask(ada, 'GET /entries/export', { query: '?format=xlsx' });
    const line = JSON.stringify(full);
    await ask(ada, 'POST /entries/import', {
      body: line,
      headers: { 'content-type': 'application/x-ndjson' },
    });
    await ask(ada, 'POST /entries/import', { body: 'mood', headers: { 'content-type': 'text/csv' } });
    await ask(ada, 'POST /entries/import', { body: full });
    await ask(ada, 'GET /entries', { query: '?limit=1&tag=c' });
    const { nextCursor } = (await ask(ada, 'GET /entries', { query: '?limit=1' })).body;
    await ask(ada, 'GET /entries', { query: `?limit=1&cursor=${nextCursor}` });
    await ask(ada, 'GET /entries', { query: '?page=2&limit=1' });
    await ask(ada, 'GET /entries', { query: '?limit=0' });
    await ask(ada, 'GET /entries', { query: '?q=a' });
    await ask(ada, 'GET /entries/stats');
    await ask(ada, 'GET /entries/stats', { query: '?from=2026-03-01T00:00:00Z&to=2026-03-08T00:00:00Z' });
    await ask(ada, 'GET /entries/stats', { query: '?bucket=hour' });
    await ask(ada, 'GET /entries/stats/chart.svg', { query: '?bucket=month' });
    await ask(ada, 'GET /entries/stats/chart.svg', { query: '?bucket=hour' });
    for (const call of [
      'GET /entries',
      'GET /entries/trash',
      'GET /entries/stats',
      'GET /entries/stats/chart.svg',
    ]) {
      await ask(ada, call, { headers: { 'if-none-match': '*' } });
    }
    await ask(ada, 'GET /entries/{id}', { id });
    await ask(ada, 'GET /entries/{id}', { id, headers: { 'if-none-match': '"1"' } });
    await ask(ada, 'GET /entries/{id}', { id: 'nothing' });
    await ask(ada, 'GET /entries/{id}', { id: randomUUID() });
    await ask(ada, 'PATCH /entries/{id}', { id, body: { mood: 2 } });
    await ask(ada, 'PATCH /entries/{id}', { id, body: { mood: 2 }, headers: { 'if-match': '"1"' } });
    await ask(ada, 'PATCH /entries/{id}', { id, body: { mood: 0 } });
    await ask(ada, 'DELETE /entries/{id}', { id, headers: { 'if-match': '"1"' } });
    await ask(ada, 'DELETE /entries/{id}', { id });
    await ask(ada, 'DELETE /entries/{id}', { id });
    await ask(ada, 'GET /entries/trash');
    await ask(ada, 'POST /entries/{id}/restore', { id });
    await ask(ada, 'DELETE /entries/trash/{id}', { id });
    await ask(ada, 'DELETE /entries/{id}', { id });
    await ask(ada, 'DELETE /entries/trash/{id}', { id });
    await ask(ada, 'POST /entries/{id}/restore', { id: randomUUID() });
    await ask(ada, 'POST /auth/verify-email/resend');
    await ask(ada, 'POST /users/me/email', { body: { newEmail: randomEmail(), password: 'wrong' } });
    await ask(ada, 'POST /users/me/email', { body: { newEmail: email, password } });
    await ask(ada, 'POST /users/me/email', { body: { newEmail: randomEmail(), password } });
    const { sessions } = (await ask(ada, 'GET /auth/sessions')).body;
    const other = sessions.find(({ current }: { current: boolean }) => !current);
    await ask(ada, 'DELETE /auth/sessions/{id}', { id: other.id });
    await ask(ada, 'DELETE /auth/sessions/{id}', { id: other.id });
    await ask(ada, 'DELETE /auth/sessions/{id}', { id: 'nothing' });
    await ask(ada, 'GET /admin/users');
    const own = { id: (await ask(ada, 'GET /users/me')).body.id };
    await service.database.query(`UPDATE users SET role = 'admin' WHERE id = $1`, [own.id]);
    await ask(ada, 'GET /admin/users', { query: '?limit=1' });
    await ask(ada, 'GET /admin/users', { query: '?limit=0' });
    await ask(ada, 'GET /admin/users/{id}', own);
    await ask(ada, 'GET /admin/users/{id}', { id: 'nothing' });
    await ask(ada, 'PATCH /admin/users/{id}', { ...own, body: { disabled: false } });
    await ask(ada, 'PATCH /admin/users/{id}', { ...own, body: { disabled: true } });
    await ask(ada, 'PATCH /admin/users/{id}', { ...own, body: { role: 'owner' } });
    await ask(ada, 'DELETE /admin/users/{id}', own);
    const newcomer = await anonymous.signUp();
    await service.database.query('UPDATE users SET email_verified_at = now()');
    const enrolled = await enrol(newcomer, service.database);
    const bob = { id: enrolled.ada.account.userId };
    await ask(ada, 'DELETE /admin/users/{id}/second-factor', bob);
    await ask(ada, 'DELETE /admin/users/{id}/second-factor', bob);
    await ask(ada, 'POST /admin/users/{id}/end-sessions', bob);
    await ask(ada, 'DELETE /admin/users/{id}', bob);
    await ask(ada, 'POST /admin/users/{id}/end-sessions', bob);
    await ask(ada, 'DELETE /users/me', { body: { password } });
    await service.database.query(`UPDATE users SET role = 'user' WHERE id = $1`, [own.id]);
    await ask(ada, 'POST /auth/logout');
    await ask(ada, 'POST /auth/logout');
    const again = await ask(anonymous, 'POST /auth/login', { body: { email, password } });
    const careful = anonymous.withToken(again.body.accessToken);
    await ask(careful, 'POST /users/me/second-factor', { body: { password: 'wrong' } });
    await ask(careful, 'POST /users/me/second-factor/confirm', { body: { code: '123456' } });
    const { uri } = (await ask(careful, 'POST /users/me/second-factor', { body: { password } })).body;
    const code = URI.parse(uri as string).generate();
    const { recoveryCodes } = (await ask(careful, 'POST /users/me/second-factor/confirm', { body: { code } }))
      .body;
    await ask(careful, 'GET /users/me/second-factor');
    await ask(anonymous, 'POST /auth/login', { body: { email, password } });
    await ask(anonymous, 'POST /auth/login', { body: { email, password, code: recoveryCodes[0] } });
    await ask(careful, 'PUT /users/me/password', {
      body: { currentPassword: password, newPassword: 'a newer horse battery' },
    });
    const { body: renewed } = await ask(careful, 'POST /users/me/second-factor/recovery-codes', {
      body: { password, code: recoveryCodes[1] },
    });
    await ask(careful, 'DELETE /users/me/second-factor', { body: { password, code: recoveryCodes[2] } });
    await ask(careful, 'DELETE /users/me/second-factor', {
      body: { password, code: renewed.recoveryCodes[0] },
    });
    await ask(careful, 'DELETE /users/me/second-factor', {
      body: { password, code: renewed.recoveryCodes[1] },
    });
    await ask(careful, 'POST /auth/logout-all');

    const last = await ask(anonymous, 'POST /auth/login', { body: { email, password } });
    const leaving = anonymous.withToken(last.body.accessToken);
    const newPassword = 'another horse battery';
    await ask(leaving, 'PUT /users/me/password', { body: { currentPassword: 'wrong', newPassword } });
    await ask(leaving, 'PUT /users/me/password', { body: { currentPassword: password, newPassword: email } });
    await ask(leaving, 'PUT /users/me/password', { body: { currentPassword: password } });
    await ask(leaving, 'PUT /users/me/password', { body: { currentPassword: password, newPassword } });
    await ask(leaving, 'GET /users/me/export');
    await ask(leaving, 'DELETE /users/me', { body: { password } });
    await ask(leaving, 'DELETE /users/me', { body: {} });
    await ask(leaving, 'DELETE /users/me', { body: { password: newPassword } });
    await ask(leaving, 'GET /users/me/export');

    const successes = [...api.operations].flatMap(([call, { responses }]) =>
      Object.keys(responses)
        .filter((status) => /^[23]/.test(status))
        .map((status) => `${call} ${status}`),
    );
    expect(successes.filter((success) => !seen.has(success))).toEqual([]);
  });

  it('matches the responses to a body that an operation does not accept', async () => {
    const ada = await anonymous.signUp();
    const statuses = new Set<string>();
    for (const [call, { requestBody }] of api.operations) {
      const [method = '', path = ''] = call.split(' ');
      if (requestBody || method === 'GET') continue;
      for (const [body, headers] of [
        ['{', {}],
        ['text', { 'content-type': 'text/plain' }],
        ['x'.repeat(2_000_000), {}],
      ] as const) {
        const response = await ada.request(method, path.replace('{id}', randomUUID()), { body, headers });
        expect([call, response.status, faultsOf(call, response)]).toEqual([call, response.status, []]);
        statuses.add(`${call} ${response.status}`);
      }
    }
    expect(statuses.size).toBe(30);
  });

  it.each<[string, unknown]>([
    ['POST /auth/register', { email: 'ada@example.org', password: '1234567' }],
    ['POST /auth/register', { email: 'ada@example.org', password: 'x'.repeat(129) }],
    ['POST /auth/register', { email: 'ada@example.org', password: 'correct horse', displayName: '' }],
    ['POST /auth/register', { email: 'ada@localhost', password: 'correct horse' }],
    ['POST /auth/register', { email: 'ada@example.org' }],
    ['POST /auth/login', { email: 'ada@example.org', password: '' }],
    ['POST /auth/login', { email: 'ada@example.org', password: 'x', remember: true }],
    ['POST /auth/refresh', { refreshToken: '' }],
    ['POST /auth/forgot-password', { email: null }],
    ['POST /auth/reset-password', { token: '', newPassword: 'correct horse' }],
    ['POST /entries', { text: '', mood: 5 }],
    ['POST /entries', { text: 'x'.repeat(10_001), mood: 5 }],
    ['POST /entries', { text: 'a', mood: 0 }],
    ['POST /entries', { text: 'a', mood: 11 }],
    ['POST /entries', { text: 'a', mood: 5.5 }],
    ['POST /entries', { text: 'a', mood: '5' }],
    ['POST /entries', { text: 'a', mood: 5, colour: 'blue' }],
    ['POST /entries', { text: 'a', mood: 5, tags: Array(21).fill('a') }],
    ['POST /entries', { text: 'a', mood: 5, tags: ['x'.repeat(51)] }],
    ['POST /entries', { text: 'a', mood: 5, category: 'x'.repeat(51) }],
    ['POST /entries', { text: 'a', mood: 5, tags: [' '] }],
    ['POST /entries', { text: 'a', mood: 5, category: '\t' }],
    ['POST /entries', { text: 'a\u0000', mood: 5 }],
    ['POST /entries', { text: 'a', mood: 5, occurredAt: 'yesterday' }],
    ['POST /entries/bulk', { entries: [] }],
    ['POST /entries/bulk', { entries: [{ text: 'a', mood: 11 }] }],
    ['POST /entries', null],
    ['POST /entries', []],
  ])('rejects a body that the service rejects: %s %j', async (call, body) => {
    const ada = await anonymous.signUp();
    expectProblem(await ada.post(call.split(' ')[1]!, body), 422);
    expect(schemaFaults(body, api.bodyOf(call), api.document)).not.toEqual([]);
  });

  it.each<[string, unknown]>([
    ['POST /auth/register', { email: 'ada1@example.org', password: '😀'.repeat(128), displayName: null }],
    ['POST /entries', { text: '😀'.repeat(10_000), mood: 1 }],
    [
      'POST /entries',
      { text: 'a', mood: 10, category: 'B', tags: ['c', 'C'], occurredAt: '2024-02-29T00:00:00Z' },
    ],
  ])('accepts a body that the service accepts: %s', async (call, body) => {
    const ada = await anonymous.signUp();
    expect((await ada.post(call.split(' ')[1]!, body)).status).toBe(201);
    expect(schemaFaults(body, api.bodyOf(call), api.document)).toEqual([]);
  });
});

interface AskOptions {
  readonly id?: string;
  readonly query?: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

function faultsOf(call: string, { status, headers, text, body }: ApiResponse): string[] {
  const response = api.operations.get(call)?.responses[status];
  if (!response) return [`${status} is not described`];
  const [mediaType = ''] = (headers.get('content-type') ?? '').split(';');
  if (!response.content) return text === '' ? [] : ['has a body, which is not described'];
  const schema = response.content[mediaType]?.schema;
  if (!schema) return [`is ${mediaType}, which is not described`];
  const missing = Object.keys(response.headers ?? {}).filter((name) => !headers.has(name));
  return [...missing.map((name) => `has no ${name}`), ...schemaFaults(body ?? text, schema, api.document)];
}
