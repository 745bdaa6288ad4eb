import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startService, type TestService } from '../harness/http/service.js';
import { randomEmail, type ApiResponse, type ApiClient } from '../harness/http/client.js';
import { expectProblem } from '../harness/http/problem.js';

const PASSWORD = 'correct horse battery';

let service: TestService;
let anonymous: ApiClient;
beforeAll(async () => {
  service = await startService({
    RATE_LIMIT_ENABLED: 'true',
    RATE_LIMIT_ANONYMOUS_PER_MINUTE: '100000',
    RATE_LIMIT_LOGIN_PER_MINUTE: '200',
    TRUST_PROXY: 'on',
  });
  anonymous = service.anonymous;
});
afterAll(() => service.close());

let addresses = 0;
/** An address that no other test uses, in a network of its own. */
function newAddress(): string {
  addresses += 1;
  return `203.0.${Math.floor(addresses / 250)}.${(addresses % 250) + 1}`;
}
const from = (address: string) => ({ 'x-forwarded-for': address });

const login = (email: string, address: string, password = 'a wrong password') =>
  anonymous.post('/auth/login', { email, password }, from(address));

async function signUp(address: string): Promise<ApiClient> {
  const account = { email: randomEmail(), password: PASSWORD };
  const { body } = await anonymous.post('/auth/register', account, from(address));
  const { user, accessToken, refreshToken } = body;
  return anonymous.as({ ...account, userId: user.id, accessToken, refreshToken });
}

/** As many wrong passwords as an account bears without delay, each from elsewhere, and the one that begins the delay. */
async function exhaust(email: string): Promise<ApiResponse[]> {
  return Promise.all(Array.from({ length: 11 }, () => login(email, newAddress())));
}

function expectDelay(response: ApiResponse): void {
  const { detail } = expectProblem(response, 429);
  const seconds = response.headers.get('retry-after');
  expect(seconds).toMatch(/^([1-9]|[1-5]\d|60)$/);
  expect(detail).toContain(`${seconds} s`);
}

describe('wrong passwords for one account, each from another address', () => {
  it('are delayed after ten: even the right password has to wait', async () => {
    const { email } = (await signUp(newAddress())).account;
    expect((await exhaust(email)).map(({ status }) => status)).toEqual(Array(11).fill(401));
    expectDelay(await login(email, newAddress()));
    expectDelay(await login(email, newAddress(), PASSWORD));
  });

  it('do not lock out the owner at a known address or in existing sessions', async () => {
    const home = newAddress();
    const ada = await signUp(home);
    const { email, refreshToken } = ada.account;
    await exhaust(email);
    expectDelay(await login(email, newAddress(), PASSWORD));
    expect((await login(email, home, PASSWORD)).status).toBe(200);
    expect((await ada.get('/users/me')).status).toBe(200);
    expect((await anonymous.post('/auth/refresh', { refreshToken }, from(newAddress()))).status).toBe(200);
  });

  it('leave other accounts alone, at the same addresses too', async () => {
    const { email } = (await signUp(newAddress())).account;
    await exhaust(email);
    expectProblem(await login(randomEmail(), `203.0.0.${addresses}`), 401);
  });

  it('are delayed in the same way for an unknown e-mail', async () => {
    const email = randomEmail();
    expect((await exhaust(email)).map(({ status }) => status)).toEqual(Array(11).fill(401));
    expectDelay(await login(email, newAddress()));
  });
});

describe('wrong passwords for many accounts from one network', () => {
  it.each([
    ['an IPv4 address', () => '198.51.100.7'],
    [
      'an IPv6 /64 network, which belongs to one client',
      (n: number) => `2001:db8:0:1::${(n + 1).toString(16)}`,
    ],
  ])('are delayed after fifty: %s', async (_what, address) => {
    const statuses = [];
    for (let n = 0; n < 51; n++) statuses.push((await login(randomEmail(), address(n))).status);
    expect(statuses).toEqual(Array(51).fill(401));
    expectDelay(await login(randomEmail(), address(99)));
    expectProblem(await login(randomEmail(), newAddress()), 401);
  });

  it('are not what signing in well is: that may go on', async () => {
    const office = '198.51.100.77';
    const { email } = (await signUp(office)).account;
    for (let n = 0; n < 60; n++) expect((await login(email, office, PASSWORD)).status).toBe(200);
  });
});

describe('the current password', () => {
  it('can be guessed no faster with a stolen access token than by signing in', async () => {
    const ada = await signUp(newAddress());
    const guess = (address: string) =>
      ada.put(
        '/users/me/password',
        { currentPassword: 'a guess', newPassword: 'a new one of ours' },
        from(address),
      );
    const erase = (address: string) =>
      ada.request('DELETE', '/users/me', { body: { password: 'a guess' }, headers: from(address) });
    const responses = [];
    for (let n = 0; n < 11; n++) responses.push(await (n % 2 === 0 ? guess : erase)(newAddress()));
    expect(responses.map(({ status }) => status)).toEqual(Array(11).fill(403));
    expectDelay(await guess(newAddress()));
    expectDelay(await erase(newAddress()));
    expectDelay(await login(ada.account.email, newAddress()));
  });
});
