import { Agent, request as httpRequest, STATUS_CODES, type IncomingHttpHeaders } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startService, type TestService } from '../harness/http/service.js';
import { schemaFaults } from '../harness/http/json-schema.js';
import { RAW_REQUESTS, sendRaw } from './raw-requests.js';
import {
  operationsOf,
  RequestMaker,
  type Document,
  type FuzzRequest,
  type Operation,
  type Session,
} from './requests.js';

interface ApiResponse {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

/** `npm run fuzz` sends more, with another seed each time; FUZZ_SEED repeats a run. */
const REQUESTS = Number(process.env['FUZZ_REQUESTS'] ?? 400);
/** Fixed in `npm test`, so that no change fails by chance. */
const FIXED_SEED = 20_261_125;
const SEED = Number(
  process.env['FUZZ_SEED'] ?? (process.env['FUZZ_REQUESTS'] ? Date.now() % 2 ** 31 : FIXED_SEED),
);
/** One request of so many is bytes that are hardly HTTP. */
const RAW_INTERVAL = 8;

/** Answers to a request for no operation of the document. */
const STATUSES_OUTSIDE_OPERATIONS = new Set([200, 204, 304, 400, 401, 404, 405, 408, 413, 415, 422, 431]);
/** From Node's parser, before there is an operation: headers or a URL that are too large. */
const TOO_LARGE = 431;

const agent = new Agent({ keepAlive: true, maxSockets: 1 });
let service: TestService;
let document: Document;
beforeAll(async () => {
  // Requests name any addresses.
  service = await startService({ TRUST_PROXY: 'on' });
  document = (await service.anonymous.get('/openapi.json')).body;
});
afterAll(async () => {
  agent.destroy();
  await service.close();
});

describe(`${REQUESTS} valid, invalid and hostile requests for every operation of the document, FUZZ_SEED=${SEED}`, () => {
  it(
    'are answered without a 5xx or an undocumented status, and every error is a problem',
    async () => {
      const operations = operationsOf(document);
      const faults: string[] = [];
      const statuses = new Map<number, number>();
      let session = await signUp();
      for (let i = 0; i < REQUESTS; i += 1) {
        if (i % RAW_INTERVAL === RAW_INTERVAL - 1) {
          const bytes = RAW_REQUESTS[Math.floor(i / RAW_INTERVAL) % RAW_REQUESTS.length]!;
          const found = faultsOfRaw(await sendRaw(service.url, bytes));
          faults.push(...found.map((fault) => `${JSON.stringify(bytes.slice(0, 120))}: ${fault}`));
          continue;
        }
        const operation = operations[i % operations.length]!;
        const request = new RequestMaker(SEED + i, operation, document, session).make();
        const response = await send(request);
        statuses.set(response.status, (statuses.get(response.status) ?? 0) + 1);
        faults.push(
          ...faultsOf(response, request, operation).map((fault) => describeFault(fault, request, response)),
        );
        learn(response, session);
        // The request signed the user out or erased the account.
        if (response.status === 401 && request.isSignedIn) session = await signUp();
      }
      expect(faults).toEqual([]);
      // The requests neither all succeed nor all fail at the first check.
      expect([...statuses.keys()]).toEqual(expect.arrayContaining([200, 201, 204, 400, 401, 404, 422]));
      expect(statuses.get(200)).toBeGreaterThan(REQUESTS / 20);
    },
    30_000 + REQUESTS * 100,
  );
});

async function signUp(): Promise<Session> {
  const { account } = await service.signUp();
  return { ...account, ids: [], cursors: [] };
}

/** With headers that fetch would refuse. */
function send({ method, path, headers, body }: FuzzRequest): Promise<ApiResponse> {
  return new Promise((resolve, reject) => {
    const length = body && { 'content-length': String(body.length) };
    const options = { method, path, headers: { ...headers, ...length }, agent, timeout: 10_000 };
    const request = httpRequest(new URL(service.url), options, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      response.once('error', reject);
      response.once('end', () => resolve({ status: response.statusCode!, headers: response.headers, text }));
    });
    request.once('timeout', () => request.destroy(new Error(`${method} ${path}: no response within 10 s`)));
    request.once('error', reject);
    request.end(body);
  });
}

/** Keeps tokens, ids and cursors, so that later requests refer to something that exists. */
function learn({ status, text }: ApiResponse, session: Session): void {
  if (status >= 300 || !text.startsWith('{')) return;
  const body = JSON.parse(text.split('\n', 1)[0]!);
  if (body.accessToken && body.user.email === session.email) {
    session.accessToken = body.accessToken;
    session.refreshToken = body.refreshToken;
  }
  for (const { id } of [body, ...(body.entries ?? []), ...(body.sessions ?? [])])
    if (id) session.ids.push(id);
  if (body.nextCursor) session.cursors.push(body.nextCursor);
  for (const list of [session.ids, session.cursors]) list.splice(0, list.length - 20);
}

function faultsOf(response: ApiResponse, { mayMissRoute }: FuzzRequest, { responses }: Operation): string[] {
  const { status, headers, text } = response;
  const faults = faultsOfHeaders(headers);
  const documented = responses[status];
  const isDocumented = mayMissRoute
    ? STATUSES_OUTSIDE_OPERATIONS.has(status)
    : documented || status === TOO_LARGE;
  if (status >= 500 || !isDocumented) faults.push(`status ${status} is not documented`);
  if (status >= 400) return [...faults, ...faultsOfProblem(response)];
  if (!documented || mayMissRoute) return faults;
  if (!documented.content) return text === '' ? faults : [...faults, 'undocumented body'];
  const mediaType = (headers['content-type'] ?? '').split(';', 1)[0]!;
  const schema = documented.content[mediaType]?.schema;
  if (!schema) return [...faults, `media type ${mediaType} is not documented`];
  return mediaType === 'application/json'
    ? [...faults, ...schemaFaults(JSON.parse(text), schema, document)]
    : faults;
}

function faultsOfHeaders(headers: IncomingHttpHeaders): string[] {
  const faults = ['x-powered-by', 'server', 'x-injected', 'access-control-allow-origin'].filter(
    (name) => name in headers,
  );
  if (!headers['x-request-id']) faults.push('no x-request-id');
  if (headers['x-content-type-options'] !== 'nosniff') faults.push('no security headers');
  return faults;
}

/** RFC 9457, and no word about the inside of the service. */
function faultsOfProblem({ status, headers, text }: ApiResponse): string[] {
  if (!/^application\/problem\+json\b/.test(headers['content-type'] ?? '')) return ['not a problem document'];
  const problem = JSON.parse(text);
  const faults = schemaFaults(problem, document.components.schemas['Problem']!, document);
  if (problem.type !== 'about:blank' || problem.title !== STATUS_CODES[status]) faults.push('wrong title');
  if (problem.status !== status) faults.push('wrong status inside');
  if (!problem.detail) faults.push('no detail');
  // Empty where the request could not be read.
  if (typeof problem.instance !== 'string' || problem.instance.includes('?')) faults.push('wrong instance');
  if (problem.requestId !== headers['x-request-id']) faults.push('wrong request id inside');
  if (/node_modules|\.[jt]s:\d|\bviolates\b|syntax error at|relation "/i.test(problem.detail))
    faults.push('internal detail');
  return faults;
}

/** Bytes that are not a request may also be answered with nothing. */
function faultsOfRaw(received: string): string[] {
  if (received === '') return [];
  const [head = '', text = ''] = received.replace(/^HTTP\/1\.1 100 [^]*?\r\n\r\n/, '').split('\r\n\r\n');
  const [statusLine = '', ...lines] = head.split('\r\n');
  const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(statusLine)?.[1]);
  if (!STATUSES_OUTSIDE_OPERATIONS.has(status)) return [`answered ${statusLine}`];
  const headers = Object.fromEntries(
    lines.map((line) => line.split(/: (.*)/)).map(([name = '', value = '']) => [name.toLowerCase(), value]),
  );
  return status < 400 ? [] : faultsOfProblem({ status, headers, text });
}

function describeFault(fault: string, request: FuzzRequest, { status, text }: ApiResponse): string {
  const { authorization, ...headers } = request.headers;
  return [
    `${fault}: ${request.method} ${request.path.slice(0, 200)}`,
    `headers ${JSON.stringify(headers).slice(0, 300)}${authorization === undefined ? ', no token' : ''}`,
    `body ${JSON.stringify(request.body?.toString().slice(0, 200))}`,
    `answer ${status} ${text.slice(0, 300)}`,
  ].join('\n');
}
