import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createClient, orThrow, type Tokens } from '../../client/src/index.js';
import { randomEmail } from '../harness/http/client.js';
import { startService, type TestService } from '../harness/http/service.js';

const ROOT = resolve(import.meta.dirname, '../..');
const CLIENT = join(ROOT, 'client');
const PASSWORD = 'correct horse battery';

let service: TestService;

beforeAll(async () => {
  service = await startService();
});
afterAll(() => service.close());

async function run(command: string, args: readonly string[], cwd: string): Promise<string> {
  try {
    return (await promisify(execFile)(command, args, { cwd })).stdout;
  } catch (error) {
    const { stdout, stderr } = error as { stdout: string; stderr: string };
    throw new Error(`${command} ${args.join(' ')}:\n${stdout}\n${stderr}`, { cause: error });
  }
}

describe('the package', () => {
  let folder: string;
  let manifest: { name: string; dependencies: Record<string, string> };

  /** As `npm install` leaves it: the files of the tarball, beside the dependencies that its manifest names. */
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'entries-client-'));
    manifest = JSON.parse(readFileSync(join(CLIENT, 'package.json'), 'utf8'));
    const installed = join(folder, 'node_modules', manifest.name);
    mkdirSync(installed, { recursive: true });
    const tarball = await run('npm', ['pack', '--silent', '--pack-destination', folder], CLIENT);
    await run('tar', ['-xzf', tarball.trim(), '--strip-components=1', '-C', installed], folder);
    for (const name of Object.keys(manifest.dependencies)) {
      symlinkSync(join(ROOT, 'node_modules', name), join(folder, 'node_modules', name));
    }
    mkdirSync(join(folder, 'node_modules/@types'));
    symlinkSync(join(ROOT, 'node_modules/@types/node'), join(folder, 'node_modules/@types/node'));
  }, 60_000);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('is tested with the dependencies that it asks for', () => {
    const { devDependencies } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
    expect(devDependencies).toMatchObject(manifest.dependencies);
  });

  it('compiles and runs the examples of its README, which print what they say', async () => {
    const readme = readFileSync(join(CLIENT, 'README.md'), 'utf8');
    const program = [...readme.matchAll(/^```ts\n(.*?)^```/gms)].map(([, code]) => code).join('\n');
    const expected = [...program.matchAll(/console\.log\(.*\); \/\/ (.*)$/gm)].map(([, output]) => output);
    expect(expected).toHaveLength(program.match(/console\.log/g)!.length);
    writeFileSync(join(folder, 'example.ts'), program.replaceAll('http://127.0.0.1:8080', service.url));
    writeFileSync(join(folder, 'package.json'), JSON.stringify({ type: 'module' }));

    const compiler = join(ROOT, 'node_modules/typescript7/bin/tsc');
    const options = '--strict --module nodenext --target es2023 --types node example.ts'.split(' ');
    await run(process.execPath, [compiler, ...options], folder);
    expect((await run(process.execPath, ['example.js'], folder)).trimEnd().split('\n')).toEqual(expected);
  }, 60_000);
});

/** A client, signed in with a new account, that records its requests and what `onTokens` gets. */
async function signedIn() {
  const account = await service.signUp();
  const requests: string[] = [];
  const kept: (Tokens | undefined)[] = [];
  const client = (tokens: Partial<Tokens> = {}, intercept?: (request: Request) => Response | undefined) =>
    createClient({
      baseUrl: service.url,
      tokens: {
        accessToken: account.account.accessToken,
        refreshToken: account.account.refreshToken,
        ...tokens,
      },
      onTokens: (next) => {
        kept.push(next);
      },
      fetch: async (request) => {
        const { pathname } = new URL(request.url);
        const response = intercept?.(request) ?? (await fetch(request));
        requests.push(`${request.method} ${pathname} ${response.status}`);
        return response;
      },
    });
  return { account, requests, kept, client };
}

const EXPIRED = { accessToken: 'expired' };
const ENTRY = { text: 'Walked by the river.', mood: 7 };

describe('the tokens of a client', () => {
  it('come from a registration or a login, and go with the logout', async () => {
    const kept: unknown[] = [];
    const client = createClient({
      baseUrl: `${service.url}/`,
      onTokens: async (tokens) => {
        await Promise.resolve();
        kept.push(tokens);
      },
    });
    const body = { email: randomEmail(), password: PASSWORD };
    const { accessToken, refreshToken } = await orThrow(client.POST('/auth/register', { body }));
    expect(client.tokens).toEqual({ accessToken, refreshToken });
    await orThrow(client.POST('/auth/login', { body }));
    const second = client.tokens;
    expect(second?.refreshToken).not.toBe(refreshToken);
    expect((await orThrow(client.GET('/auth/sessions'))).sessions).toHaveLength(2);
    await orThrow(client.POST('/auth/logout'));
    expect(client.tokens).toBeUndefined();
    expect(kept).toEqual([{ accessToken, refreshToken }, second, undefined]);
  });

  it('are refreshed once for requests that are refused at the same time, and each is sent again', async () => {
    const { requests, kept, client } = await signedIn();
    const expired = client(EXPIRED);
    const moods = [1, 2, 3, 4, 5];
    const created = await Promise.all(
      moods.map((mood) => orThrow(expired.POST('/entries', { body: { ...ENTRY, mood } }))),
    );
    expect(created.map(({ mood }) => mood)).toEqual(moods);
    expect(requests.filter((request) => request.startsWith('POST /auth/refresh'))).toEqual([
      'POST /auth/refresh 200',
    ]);
    expect(kept).toEqual([expired.tokens]);
  });

  it('stay as they are with a wrong password at the login', async () => {
    const { account, requests, kept, client } = await signedIn();
    const body = { email: account.account.email, password: 'incorrect horse' };
    const { error } = await client().POST('/auth/login', { body });
    expect(error).toMatchObject({ status: 401 });
    expect({ requests, kept }).toEqual({ requests: ['POST /auth/login 401'], kept: [] });
  });

  it('are gone when the refresh token is refused, and the requests return the 401', async () => {
    const { requests, kept, client } = await signedIn();
    const ended = client({ ...EXPIRED, refreshToken: 'unknown' });
    const answers = await Promise.all([ended.GET('/users/me'), ended.GET('/entries')]);
    expect(answers.map(({ error }) => error?.instance)).toEqual(['/users/me', '/entries']);
    expect(answers.map(({ error }) => error?.status)).toEqual([401, 401]);
    expect(requests.filter((request) => request.startsWith('POST /auth/refresh'))).toHaveLength(1);
    expect({ kept, tokens: ended.tokens }).toEqual({ kept: [undefined], tokens: undefined });
    expect((await ended.GET('/users/me')).response.status).toBe(401);
    expect(requests).toHaveLength(4);
  });

  it('stay when the refresh fails for another reason, which the requests return', async () => {
    const { kept, client } = await signedIn();
    let isDown = true;
    const expired = client(EXPIRED, ({ url }) =>
      isDown && url.endsWith('/auth/refresh')
        ? Response.json({ title: 'Service Unavailable', status: 503 }, { status: 503 })
        : undefined,
    );
    const answers = await Promise.all([expired.GET('/users/me'), expired.GET('/entries')]);
    expect(answers.map(({ error }) => error?.status)).toEqual([503, 503]);
    expect(kept).toEqual([]);
    isDown = false;
    expect((await expired.GET('/users/me')).response.status).toBe(200);
  });

  it('are refreshed once for a request, also if the service refuses the new ones', async () => {
    const { requests, client } = await signedIn();
    const expired = client(EXPIRED, ({ url }) =>
      url.endsWith('/users/me') ? Response.json({}, { status: 401 }) : undefined,
    );
    expect((await expired.GET('/users/me')).response.status).toBe(401);
    expect(requests).toEqual(['GET /users/me 401', 'POST /auth/refresh 200', 'GET /users/me 401']);
  });

  it('are those of a sign-in that happens during the refresh', async () => {
    const { account, client } = await signedIn();
    let isFirst = true;
    const expired = createClient({
      baseUrl: service.url,
      tokens: { accessToken: 'expired', refreshToken: account.account.refreshToken },
      fetch: async (request) => {
        const response = await fetch(request);
        if (isFirst && request.url.endsWith('/auth/refresh')) {
          isFirst = false;
          const { email, password } = other.account;
          await orThrow(expired.POST('/auth/login', { body: { email, password } }));
        }
        return response;
      },
    });
    const other = await service.signUp();
    const { data } = await expired.GET('/users/me');
    expect(data?.email).toBe(other.account.email);
    expect((await client(expired.tokens).GET('/users/me')).data?.email).toBe(other.account.email);
  });

  it('are refreshed when an import is refused, which is not sent again', async () => {
    const { client } = await signedIn();
    const expired = client(EXPIRED);
    const file = {
      body: `${JSON.stringify(ENTRY)}\n`,
      headers: { 'content-type': 'application/x-ndjson' },
    };
    expect((await expired.POST('/entries/import', file)).response.status).toBe(401);
    expect((await expired.POST('/entries/import', file)).data).toMatchObject({ imported: 1 });
  });

  it('are not sent with a header Authorization of the caller', async () => {
    const { requests, client } = await signedIn();
    const headers = { authorization: 'Bearer other' };
    expect((await client().GET('/users/me', { headers })).response.status).toBe(401);
    expect(requests).toEqual(['GET /users/me 401']);
  });
});

describe('the iterators of a client', () => {
  it('read page after page, as far as they are asked', async () => {
    const { requests, client } = await signedIn();
    const ada = client();
    const entries = Array.from({ length: 5 }, (_, index) => ({ ...ENTRY, text: String(index), tags: ['x'] }));
    await orThrow(ada.POST('/entries/bulk', { body: { entries } }));
    await orThrow(ada.POST('/entries', { body: ENTRY }));
    requests.length = 0;
    const texts: string[] = [];
    for await (const { text } of ada.entries({ tag: 'x', sort: 'createdAt', limit: 2 })) texts.push(text);
    expect(texts.sort()).toEqual(['0', '1', '2', '3', '4']);
    expect(requests).toHaveLength(3);
    for await (const { id } of ada.entries({ limit: 2 })) {
      await orThrow(ada.DELETE('/entries/{id}', { params: { path: { id } } }));
      break;
    }
    expect(requests).toHaveLength(5);
    const trashed = [];
    for await (const { id } of ada.trash()) trashed.push(id);
    expect(trashed).toHaveLength(1);
    const events = [];
    for await (const { type } of ada.securityEvents()) events.push(type);
    expect(events).toEqual(['registered']);
  });

  it('throw the problem of a page', async () => {
    const { client } = await signedIn();
    await expect(client().users().next()).rejects.toMatchObject({
      name: 'ProblemError',
      message: expect.stringMatching(/^404 Not Found: /),
      problem: { status: 404, instance: '/admin/users' },
    });
    await expect(client().entries({ limit: 0 }).next()).rejects.toThrow(/^400 Bad Request: .*; limit: /);
  });
});

describe('orThrow', () => {
  it('throws what a proxy says in its own words', async () => {
    const { client } = await signedIn();
    const unavailable = client({}, () => new Response('<html>', { status: 502, statusText: 'Bad Gateway' }));
    await expect(orThrow(unavailable.GET('/users/me'))).rejects.toMatchObject({
      message: '502 Bad Gateway: <html>',
      problem: { type: 'about:blank', status: 502 },
    });
  });
});
