import { Agent, request as httpRequest, STATUS_CODES } from 'node:http';
import { Random } from './random.js';
import { rawRequest, sendRaw } from './raw-requests.js';
import { makeRequest, operationsOf } from './requests.js';

/** @typedef {import('./requests.js').Known} Known */
/** @typedef {import('./requests.js').Operation} Operation */
/** @typedef {import('./requests.js').Request} Request */
/** @typedef {{ status: number, headers: import('node:http').IncomingHttpHeaders, text: string }} Answer */
/** @typedef {(body: unknown, schema: object, document: object) => string[]} SchemaCheck in what a body differs from its schema */

/** Every so many requests, one of bytes that are hardly HTTP. */
const RAW_EVERY = 8;

/** What a request for no operation of the document may be answered with. */
const ELSEWHERE = new Set([200, 204, 304, 400, 401, 404, 405, 408, 413, 415, 422, 431]);

/** Of Node's parser, before there is an operation: headers, or a URL, that are too large. */
const TOO_LARGE = 431;

/**
 * Sends every operation of the service's own OpenAPI document valid, invalid and hostile values, and judges each answer:
 * no 5xx, no status that the document has not for that operation, every error a problem (RFC 9457).
 *
 * @param {{ url: string, seed: number, requests: number, checkSchema?: SchemaCheck }} options
 * @returns {Promise<{ sent: number, statuses: Record<string, number>, faults: string[] }>}
 */
export async function fuzz({ url, seed, requests, checkSchema = () => [] }) {
  const random = new Random(seed);
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const client = new Client(url, agent);
  const document = JSON.parse((await client.send('GET', '/openapi.json', {})).text);
  const operations = operationsOf(document);
  let known = await client.signUp();
  /** @type {Record<string, number>} */
  const statuses = {};
  /** @type {string[]} */
  const faults = [];
  const count = (/** @type {string | number} */ status) => (statuses[status] = (statuses[status] ?? 0) + 1);
  try {
    for (let i = 0; i < requests; i++) {
      if (i % RAW_EVERY === RAW_EVERY - 1) {
        const bytes = rawRequest(random, Math.floor(i / RAW_EVERY));
        const answer = await sendRaw(url, bytes);
        count(statusOfRaw(answer));
        faults.push(
          ...faultsOfRaw(answer).map((fault) => `${JSON.stringify(bytes.slice(0, 120))}: ${fault}`),
        );
        continue;
      }
      const operation = /** @type {Operation} */ (operations[i % operations.length]);
      const kind = random.pick(/** @type {const} */ (['valid', 'valid', 'invalid', 'hostile', 'hostile']));
      const request = makeRequest(operation, document, kind, known, random);
      const answer = await client.send(request.method, request.path, request.headers, request.body);
      count(answer.status);
      const found = faultsOf(answer, request, operation, document, checkSchema);
      faults.push(...found.map((fault) => describe(operation, request, answer, fault)));
      learn(answer, known);
      // Signed out, or erased, by what was sent.
      if (answer.status === 401 && request.signedIn) known = await client.signUp();
    }
  } finally {
    agent.destroy();
  }
  return { sent: requests, statuses, faults };
}

class Client {
  #users = 0;

  /** @param {string} url @param {Agent} agent */
  constructor(url, agent) {
    this.url = url;
    this.agent = agent;
  }

  /** @returns {Promise<Known>} */
  async signUp() {
    this.#users += 1;
    const email = `fuzz-${process.pid}-${Date.now()}-${this.#users}@example.org`;
    const password = 'correct horse battery';
    const headers = { 'content-type': 'application/json' };
    const body = Buffer.from(JSON.stringify({ email, password }));
    const { status, text } = await this.send('POST', '/auth/register', headers, body);
    if (status !== 201) throw new Error(`cannot register: ${status} ${text}`);
    const { accessToken, refreshToken } = JSON.parse(text);
    return { accessToken, refreshToken, email, password, ids: [], cursors: [] };
  }

  /**
   * @param {string} method @param {string} path @param {Record<string, string>} headers @param {Buffer} [body]
   * @returns {Promise<Answer>}
   */
  send(method, path, headers, body) {
    return new Promise((resolve, reject) => {
      const length = body === undefined ? {} : { 'content-length': String(body.length) };
      const options = { method, headers: { ...headers, ...length }, agent: this.agent, timeout: 10_000 };
      const request = httpRequest(new URL(this.url), { ...options, path }, (response) => {
        /** @type {Buffer[]} */
        const chunks = [];
        response.on('data', (/** @type {Buffer} */ chunk) => chunks.push(chunk));
        response.once('error', reject);
        response.once('end', () => {
          const { statusCode = 0, headers: answered } = response;
          resolve({ status: statusCode, headers: answered, text: Buffer.concat(chunks).toString() });
        });
      });
      request.once('timeout', () => request.destroy(new Error(`${method} ${path}: no answer within 10 s`)));
      request.once('error', reject);
      request.end(body);
    });
  }
}

/** Ids and cursors, so that later requests lead somewhere. @param {Answer} answer @param {Known} known */
function learn({ status, text }, known) {
  if (status >= 300 || !text.startsWith('{')) return;
  const body = JSON.parse(text.split('\n', 1)[0] ?? text);
  if (typeof body.accessToken === 'string' && body.user?.email === known.email)
    Object.assign(known, pick(body));
  for (const { id } of [body, ...(body.entries ?? []), ...(body.sessions ?? [])]) {
    if (typeof id === 'string') known.ids.push(id);
  }
  if (typeof body.nextCursor === 'string') known.cursors.push(body.nextCursor);
  known.ids.splice(0, known.ids.length - 20);
  known.cursors.splice(0, known.cursors.length - 20);
}

/** @param {any} body */
function pick({ accessToken, refreshToken }) {
  return { accessToken, refreshToken };
}

/**
 * @param {Answer} answer @param {Request} request @param {Operation} operation @param {object} document
 * @param {SchemaCheck} checkSchema
 * @returns {string[]}
 */
function faultsOf(answer, { elsewhere }, { responses }, document, checkSchema) {
  const { status, headers, text } = answer;
  const faults = faultsOfHeaders(headers);
  const response = responses[status];
  if (status >= 500) faults.push('is a failure of the service');
  else if (elsewhere ? !ELSEWHERE.has(status) : !response && status !== TOO_LARGE)
    faults.push(`status ${status} is not documented`);
  if (status >= 400) return [...faults, ...faultsOfProblem(answer)];
  if (!response || elsewhere) return faults;
  const mediaType = (headers['content-type'] ?? '').split(';', 1)[0] ?? '';
  if (!response.content) return text === '' ? faults : [...faults, 'has a body, which is not documented'];
  const schema = response.content[mediaType]?.schema;
  if (!schema) return [...faults, `media type ${mediaType} is not documented`];
  return mediaType === 'application/json'
    ? [...faults, ...checkSchema(JSON.parse(text), schema, document)]
    : faults;
}

/** @param {Answer['headers']} headers */
function faultsOfHeaders(headers) {
  const faults = [];
  if (!headers['x-request-id']) faults.push('has no x-request-id');
  if (headers['x-content-type-options'] !== 'nosniff') faults.push('has no security headers');
  for (const name of ['x-powered-by', 'server', 'x-injected', 'access-control-allow-origin'])
    if (headers[name] !== undefined) faults.push(`has ${name}`);
  return faults;
}

/** @param {Answer} answer @returns {string[]} */
function faultsOfProblem({ status, headers, text }) {
  if (!/^application\/problem\+json\b/.test(headers['content-type'] ?? '')) return ['is no problem document'];
  /** @type {any} */
  let problem;
  try {
    problem = JSON.parse(text);
  } catch {
    return ['is no JSON'];
  }
  const faults = [];
  if (problem.type !== 'about:blank' || problem.title !== STATUS_CODES[status])
    faults.push('has another title');
  if (problem.status !== status) faults.push('has another status inside');
  if (typeof problem.detail !== 'string' || problem.detail === '') faults.push('has no detail');
  if (typeof problem.instance !== 'string' || problem.instance.includes('?')) faults.push('has no instance');
  if (problem.requestId !== headers['x-request-id']) faults.push('has another request id inside');
  if (/node_modules|\.[jt]s:\d|\bviolates\b|syntax error at|relation "/i.test(problem.detail))
    faults.push('tells of the inside');
  const known = ['type', 'title', 'status', 'detail', 'instance', 'requestId', 'errors'];
  faults.push(
    ...Object.keys(problem)
      .filter((name) => !known.includes(name))
      .map((name) => `has a member ${name}`),
  );
  return faults;
}

/** @param {string} answer */
function statusOfRaw(answer) {
  return /^HTTP\/1\.1 (\d{3})/.exec(answer.replace(/^HTTP\/1\.1 100 [^]*?\r\n\r\n/, ''))?.[1] ?? 'closed';
}

/** @param {string} answer to bytes that may be no request; nothing at all is an answer as well @returns {string[]} */
function faultsOfRaw(answer) {
  const status = Number(statusOfRaw(answer));
  if (Number.isNaN(status)) return answer === '' ? [] : [`is no answer: ${answer.slice(0, 60)}`];
  const [head = '', text = ''] = answer.replace(/^HTTP\/1\.1 100 [^]*?\r\n\r\n/, '').split('\r\n\r\n');
  const headers = Object.fromEntries(
    head
      .split('\r\n')
      .slice(1)
      .map((line) => [
        line.slice(0, line.indexOf(':')).toLowerCase(),
        line.slice(line.indexOf(':') + 1).trim(),
      ]),
  );
  if (!ELSEWHERE.has(status)) return [`status ${status}`];
  return status < 400 ? [] : faultsOfProblem({ status, headers, text });
}

/** @param {Operation} operation @param {Request} request @param {Answer} answer @param {string} fault */
function describe({ method, path }, request, { status, text }, fault) {
  const body = request.body === undefined ? '' : ` ${JSON.stringify(request.body.toString().slice(0, 200))}`;
  const { authorization, ...headers } = request.headers;
  return (
    `${method} ${path}: ${fault}; ${request.path.slice(0, 200)} ${JSON.stringify(headers).slice(0, 300)}${body}` +
    `${authorization === undefined ? ' (no token)' : ''} -> ${status} ${text.slice(0, 300)}`
  );
}
