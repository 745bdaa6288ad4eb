import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startService, type TestService } from '../harness/http/service.js';
import { randomEmail, type ApiResponse, type ApiClient } from '../harness/http/client.js';
import { expectProblem } from '../harness/http/problem.js';

const LIMITS = {
  RATE_LIMIT_ENABLED: 'true',
  RATE_LIMIT_ANONYMOUS_PER_MINUTE: '5',
  RATE_LIMIT_USER_PER_MINUTE: '7',
  RATE_LIMIT_LOGIN_PER_MINUTE: '3',
};
const PASSWORD = 'correct horse battery';

let service: TestService;
let anonymous: ApiClient;

/** Starts the service for the tests of one `describe`. */
function serviceWith(environment: Readonly<Record<string, string>>): void {
  beforeAll(async () => {
    service = await startService(environment);
    anonymous = service.anonymous;
  });
  afterAll(() => service.close());
}

let addresses = 0;
/** An address that no other test uses. */
function newAddress(): string {
  addresses++;
  return `198.51.100.${addresses}`;
}

const from = (address: string) => ({ 'x-forwarded-for': address });
const guess = (headers: Readonly<Record<string, string>>) =>
  anonymous.post('/auth/refresh', { refreshToken: 'a guess' }, headers);

async function signUp(): Promise<ApiClient> {
  const email = randomEmail();
  const { status, body } = await anonymous.post(
    '/auth/register',
    { email, password: PASSWORD },
    from(newAddress()),
  );
  expect(status).toBe(201);
  const { user, accessToken, refreshToken } = body;
  return anonymous.as({ email, password: PASSWORD, userId: user.id, accessToken, refreshToken });
}

async function inTurn(count: number, request: () => Promise<ApiResponse>): Promise<ApiResponse[]> {
  const responses: ApiResponse[] = [];
  for (let i = 0; i < count; i++) responses.push(await request());
  return responses;
}

const statusesOf = (responses: readonly ApiResponse[]) => responses.map(({ status }) => status);

function expectTooMany(response: ApiResponse, limit: number): void {
  const { detail } = expectProblem(response, 429);
  const retryAfter = response.headers.get('retry-after');
  expect(retryAfter).toMatch(/^([1-9]|[1-5]\d|60)$/);
  expect(detail).toContain(`${retryAfter} s`);
  expect(response.headers.get('ratelimit-reset')).toBe(retryAfter);
  expect(response.headers.get('ratelimit-remaining')).toBe('0');
  expect(response.headers.get('ratelimit-limit')).toBe(String(limit));
  expect(response.headers.get('ratelimit-policy')).toMatch(new RegExp(`^"\\w+";q=${limit};w=60$`));
  expect(response.headers.get('ratelimit')).toMatch(new RegExp(`^"\\w+";r=0;t=${retryAfter}$`));
}

describe('the limit of an IP address without a token', () => {
  serviceWith({ ...LIMITS, TRUST_PROXY: 'on' });

  it('is sent with each response, and refuses with 429 beyond it', async () => {
    const address = newAddress();
    const responses = await inTurn(5, () => guess(from(address)));
    expect(statusesOf(responses)).toEqual([401, 401, 401, 401, 401]);
    expect(responses.map(({ headers }) => headers.get('ratelimit-remaining'))).toEqual([
      '4',
      '3',
      '2',
      '1',
      '0',
    ]);
    for (const { headers } of responses) {
      expect(headers.get('ratelimit-limit')).toBe('5');
      expect(headers.get('ratelimit-policy')).toBe('"anonymous";q=5;w=60');
      expect(headers.get('ratelimit-reset')).toMatch(/^([1-9]|[1-5]\d|60)$/);
      expect(headers.has('retry-after')).toBe(false);
    }
    expectTooMany(await guess(from(address)), 5);
    expectTooMany(await guess(from(address)), 5);
  });

  it('counts what arrives at the same instant', async () => {
    const address = newAddress();
    const responses = await Promise.all(Array.from({ length: 12 }, () => guess(from(address))));
    expect(statusesOf(responses).sort()).toEqual([
      ...Array<number>(5).fill(401),
      ...Array<number>(7).fill(429),
    ]);
  });

  it('is of that address alone', async () => {
    const address = newAddress();
    await inTurn(6, () => guess(from(address)));
    expect((await guess(from(newAddress()))).status).toBe(401);
  });

  it('is one for all addresses of an IPv6 network, however they are written, and another for the next', async () => {
    const responses = [];
    for (let host = 1; host <= 6; host += 1)
      responses.push(await guess(from(`2001:db8:7:1:${host}::${host}`)));
    expect(statusesOf(responses)).toEqual([401, 401, 401, 401, 401, 429]);
    expectTooMany(await guess(from('2001:0DB8:0007:0001::abcd')), 5);
    expect((await guess(from('2001:db8:7:2::1'))).status).toBe(401);
  });

  it('is one for all public routes', async () => {
    const address = newAddress();
    await inTurn(5, () => guess(from(address)));
    for (const path of ['/auth/register', '/auth/login', '/auth/refresh']) {
      expectTooMany(
        await anonymous.post(path, { email: randomEmail(), password: PASSWORD }, from(address)),
        5,
      );
    }
  });

  it('applies to requests without a valid token', async () => {
    const address = newAddress();
    const bare = await inTurn(3, () => anonymous.get('/entries', from(address)));
    const forged = await inTurn(2, () =>
      anonymous.withToken('a.forged.token').get('/users/me', from(address)),
    );
    expect(statusesOf([...bare, ...forged])).toEqual([401, 401, 401, 401, 401]);
    expectTooMany(await anonymous.withToken('a.forged.token').get('/users/me', from(address)), 5);
  });

  it('applies to invalid tokens from all addresses of an IPv6 network', async () => {
    const responses = [];
    for (let host = 1; host <= 6; host += 1) {
      responses.push(
        await anonymous.withToken('a.forged.token').get('/users/me', from(`2001:db8:7:3::${host}`)),
      );
    }
    expect(statusesOf(responses)).toEqual([401, 401, 401, 401, 401, 429]);
  });

  it('is one for an IPv4 address and what it is in IPv6, with a port or without', async () => {
    const spellings = ['203.0.113.9', '::ffff:203.0.113.9', '::ffff:cb00:7109', '203.0.113.9:4711'];
    const responses = [];
    for (const spelling of [...spellings, '[::ffff:203.0.113.9]:4712', '203.0.113.9:4713'])
      responses.push(await guess(from(spelling)));
    expect(statusesOf(responses)).toEqual([401, 401, 401, 401, 401, 429]);
  });

  it('is one for all that is no address', async () => {
    const responses = [];
    for (let word = 1; word <= 6; word += 1) responses.push(await guess(from(`word ${word}`)));
    expect(statusesOf(responses)).toEqual([401, 401, 401, 401, 401, 429]);
  });

  it('refuses before anything is done', async () => {
    const address = newAddress();
    await inTurn(5, () => guess(from(address)));
    const email = randomEmail();
    expectTooMany(await anonymous.post('/auth/register', { email, password: PASSWORD }, from(address)), 5);
    expect(await service.database.query('SELECT 1 FROM users WHERE email = $1', [email])).toEqual([]);
  });
});

describe('the limit of a user', () => {
  serviceWith({ ...LIMITS, TRUST_PROXY: 'on' });

  it('is sent with each response, and refuses with 429 beyond it', async () => {
    const ada = await signUp();
    const responses = await inTurn(7, () => ada.get('/users/me'));
    expect(statusesOf(responses)).toEqual(Array(7).fill(200));
    expect(responses.map(({ headers }) => headers.get('ratelimit-remaining'))).toEqual([
      '6',
      '5',
      '4',
      '3',
      '2',
      '1',
      '0',
    ]);
    expectTooMany(await ada.get('/entries'), 7);
    expectTooMany(await ada.post('/entries', { text: 'a', mood: 5 }), 7);
    expect(
      await service.database.query('SELECT 1 FROM entries WHERE user_id = $1', [ada.account.userId]),
    ).toEqual([]);
  });

  it('is the same from every address and in every session', async () => {
    const ada = await signUp();
    const { email } = ada.account;
    const login = await anonymous.post('/auth/login', { email, password: PASSWORD }, from(newAddress()));
    const other = ada.withToken(login.body.accessToken);
    await inTurn(4, () => ada.get('/users/me', from(newAddress())));
    await inTurn(3, () => other.get('/users/me', from(newAddress())));
    expectTooMany(await ada.get('/users/me', from(newAddress())), 7);
    expectTooMany(await other.get('/users/me', from(newAddress())), 7);
  });

  it('is of that user alone, at one address too', async () => {
    const [ada, bob] = [await signUp(), await signUp()];
    const address = newAddress();
    await inTurn(8, () => ada.get('/users/me', from(address)));
    expect((await bob.get('/users/me', from(address))).status).toBe(200);
  });

  it('is apart from the limit of the address', async () => {
    const ada = await signUp();
    const address = newAddress();
    await inTurn(6, () => guess(from(address)));
    expect((await ada.get('/users/me', from(address))).status).toBe(200);
    const other = newAddress();
    await inTurn(7, () => ada.get('/users/me', from(other)));
    expect((await guess(from(other))).status).toBe(401);
  });
});

describe('the limit of logins for an IP address and an e-mail', () => {
  serviceWith({ ...LIMITS, RATE_LIMIT_ANONYMOUS_PER_MINUTE: '100', TRUST_PROXY: 'on' });

  const login = (email: string, address: string, password = 'a wrong password') =>
    anonymous.post('/auth/login', { email, password }, from(address));

  it('refuses with 429 past it, the right password too', async () => {
    const { email } = (await signUp()).account;
    const address = newAddress();
    const responses = await inTurn(3, () => login(email, address));
    expect(statusesOf(responses)).toEqual([401, 401, 401]);
    expect(responses.map(({ headers }) => headers.get('ratelimit-remaining'))).toEqual(['2', '1', '0']);
    expectTooMany(await login(email, address), 3);
    expectTooMany(await login(email, address, PASSWORD), 3);
  });

  it('applies to unknown e-mails as to known ones', async () => {
    const email = randomEmail();
    const address = newAddress();
    expect(statusesOf(await inTurn(4, () => login(email, address)))).toEqual([401, 401, 401, 429]);
  });

  it('counts an e-mail in any case, with or without blanks, as one', async () => {
    const email = randomEmail();
    const address = newAddress();
    await login(email, address);
    await login(email.toUpperCase(), address);
    await login(`  ${email} `, address);
    expectTooMany(await login(email, address), 3);
  });

  it('leaves another e-mail at that address, and that e-mail at another address', async () => {
    const { email } = (await signUp()).account;
    const address = newAddress();
    await inTurn(4, () => login(email, address));
    expect((await login(randomEmail(), address)).status).toBe(401);
    expect((await login(email, newAddress(), PASSWORD)).status).toBe(200);
  });
});

describe('probes and scrapes', () => {
  serviceWith(LIMITS);

  it.each(['/health', '/health/live', '/metrics'])('are never limited: %s', async (path) => {
    const responses = await inTurn(12, () => anonymous.get(path));
    expect(statusesOf(responses)).toEqual(Array(12).fill(200));
    for (const { headers } of responses) expect(headers.has('ratelimit-limit')).toBe(false);
  });
});

describe('X-Forwarded-For without TRUST_PROXY', () => {
  serviceWith(LIMITS);

  it('is not believed: other addresses do not help', async () => {
    const responses = await inTurn(6, () => guess(from(newAddress())));
    expect(statusesOf(responses)).toEqual([401, 401, 401, 401, 401, 429]);
  });
});

describe('X-Forwarded-For with TRUST_PROXY=on', () => {
  serviceWith({ ...LIMITS, TRUST_PROXY: 'on' });

  it('is believed: each address has its own limit, and the session keeps it', async () => {
    const responses = await inTurn(6, () => guess(from(newAddress())));
    expect(statusesOf(responses)).toEqual(Array(6).fill(401));
    const address = newAddress();
    const account = { email: randomEmail(), password: PASSWORD };
    const { body } = await anonymous.post('/auth/register', account, from(address));
    const sessions = await service.database.query('SELECT ip FROM sessions WHERE user_id = $1', [
      body.user.id,
    ]);
    expect(sessions).toEqual([{ ip: address }]);
  });
});

describe('X-Forwarded-For with TRUST_PROXY=127.0.0.0/8, 10.0.0.0/8', () => {
  serviceWith({ ...LIMITS, TRUST_PROXY: '127.0.0.0/8, 10.0.0.0/8' });

  it('is believed as far as the proxy that is trusted wrote it, and no further', async () => {
    const proxied = newAddress();
    const responses = await inTurn(6, () => guess(from(`${newAddress()}, ${proxied}`)));
    expect(statusesOf(responses)).toEqual([401, 401, 401, 401, 401, 429]);
    expect((await guess(from(newAddress()))).status).toBe(401);
  });

  it.each([
    ['the second one as well', '10.1.2.3'],
    ['the second one as well, in IPv6', '::ffff:10.1.2.3'],
  ])('is believed through two proxies that are trusted: %s', async (_name, second) => {
    const client = newAddress();
    const responses = await inTurn(6, () => guess(from(`${newAddress()}, ${client}, ${second}`)));
    expect(statusesOf(responses)).toEqual([401, 401, 401, 401, 401, 429]);
    // Nor is it the proxy that is counted.
    expect((await guess(from(`${client}, ${newAddress()}, ${second}`))).status).toBe(401);
  });

  it('is not believed beyond a proxy that is not trusted', async () => {
    const stranger = newAddress();
    const responses = await inTurn(6, () => guess(from(`${newAddress()}, 10.1.2.3, ${stranger}`)));
    expect(statusesOf(responses)).toEqual([401, 401, 401, 401, 401, 429]);
  });
});

describe('X-Forwarded-For with TRUST_PROXY=10.0.0.0/8', () => {
  serviceWith({ ...LIMITS, TRUST_PROXY: '10.0.0.0/8' });

  it('is not believed from an address outside of it', async () => {
    const responses = await inTurn(6, () => guess(from(newAddress())));
    expect(statusesOf(responses)).toEqual([401, 401, 401, 401, 401, 429]);
  });
});

describe('RATE_LIMIT_ENABLED=false', () => {
  serviceWith({ ...LIMITS, RATE_LIMIT_ENABLED: 'false' });

  it('limits nothing and sends no limit headers', async () => {
    const responses = await inTurn(12, () => guess({}));
    expect(statusesOf(responses)).toEqual(Array(12).fill(401));
    expect([...responses[0]!.headers.keys()].filter((name) => name.startsWith('ratelimit'))).toEqual([]);
  });
});
