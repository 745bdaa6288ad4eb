import { hostileText, hostileValue, invalidValue, validValue } from './values.js';

/** @typedef {import('./random.js').Random} Random */
/** @typedef {import('./values.js').Schema} Schema */
/**
 * @typedef {object} Operation
 * @property {string} method
 * @property {string} path as OpenAPI writes it
 * @property {{ name: string, in: string, required?: boolean, schema?: Schema }[]} parameters
 * @property {Record<string, { schema: Schema }> | undefined} content of the request's body, by media type
 * @property {Record<string, { content?: Record<string, { schema: Schema }> }>} responses
 * @property {boolean} secured
 */
/**
 * @typedef {object} Request
 * @property {string} method
 * @property {string} path
 * @property {Record<string, string>} headers
 * @property {Buffer | undefined} body
 * @property {boolean} elsewhere whether the path may lead to another operation, or to none
 * @property {boolean} signedIn
 */
/**
 * What the client has, to be told of.
 *
 * @typedef {object} Known
 * @property {string} accessToken
 * @property {string} refreshToken
 * @property {string} email
 * @property {string} password
 * @property {string[]} ids of entries and sessions
 * @property {string[]} cursors
 */
/** @typedef {'valid' | 'invalid' | 'hostile'} Kind */

/** @param {any} document of OpenAPI @returns {Operation[]} */
export function operationsOf(document) {
  return Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(/** @type {Record<string, any>} */ (methods)).map(([method, operation]) => ({
      method: method.toUpperCase(),
      path,
      parameters: operation.parameters ?? [],
      content: operation.requestBody?.content,
      responses: operation.responses,
      secured: operation.security !== undefined,
    })),
  );
}

/**
 * @param {Operation} operation @param {object} document @param {Kind} kind @param {Known} known @param {Random} random
 * @returns {Request}
 */
export function makeRequest(operation, document, kind, known, random) {
  const bad = (/** @type {number} */ probability) => kind !== 'valid' && random.chance(probability);
  /** @type {Record<string, string>} */
  const headers = {};
  let elsewhere = false;
  const path = operation.path.replace(/\{\w+\}/g, () => {
    const id = bad(0.3) ? hostileText(random) : random.pick([...known.ids, random.uuid()]);
    // Nothing, a dot or another route's segment makes a path of another operation.
    if (['', '.', '..'].includes(id) || !isScalar(id)) elsewhere = true;
    return encode(id);
  });
  const query = queryOf(operation, document, kind, known, random);
  for (const { name, in: place } of operation.parameters) {
    if (place !== 'header' || !random.chance(0.5)) continue;
    headers[name.toLowerCase()] = bad(0.5)
      ? headerText(hostileText(random))
      : random.pick(['"1"', '*', '"2", W/"1"']);
  }
  let signedIn = operation.secured;
  if (operation.secured && bad(0.15)) {
    signedIn = false;
    const token = random.pick([
      undefined,
      'Bearer',
      `Bearer ${headerText(hostileText(random))}`,
      `Basic ${known.accessToken}`,
      `Bearer ${known.accessToken.slice(0, -2)}`,
      `Bearer eyJhbGciOiJub25lIn0.${known.accessToken.split('.')[1]}.`,
    ]);
    if (token !== undefined) headers['authorization'] = token;
  } else if (operation.secured) {
    headers['authorization'] = `Bearer ${known.accessToken}`;
  }
  const body = bodyOf(operation, document, kind, known, random, headers);
  if (kind === 'hostile') Object.assign(headers, hostileHeaders(random));
  return { method: operation.method, path: path + query, headers, body, elsewhere, signedIn };
}

/** @param {Operation} operation @param {object} document @param {Kind} kind @param {Known} known @param {Random} random */
function queryOf({ parameters }, document, kind, known, random) {
  const parts = parameters
    .filter(({ in: place, required }) => place === 'query' && (required || random.chance(0.35)))
    .flatMap(({ name, schema = {} }) => {
      const wrong = kind !== 'valid' && random.chance(0.4);
      const own = name === 'cursor' && known.cursors.length > 0 ? random.pick(known.cursors) : undefined;
      const value = wrong ? hostileValue(random) : (own ?? validValue(schema, document, random));
      // A list is the name again and again.
      return [value].flat(9).map((each) => `${name}=${encode(textOf(each))}`);
    });
  if (kind === 'hostile' && random.chance(0.3)) {
    parts.push(`${encode(hostileText(random))}=${encode(hostileText(random))}`);
    parts.push(
      random.pick(['%', '%zz=1', 'a[b]=1', 'limit=1&limit=2', '__proto__[a]=1', '=', '&&&', '%00=%00']),
    );
  }
  return parts.length === 0 ? '' : `?${parts.join('&')}`;
}

/**
 * @param {Operation} operation @param {object} document @param {Kind} kind @param {Known} known @param {Random} random
 * @param {Record<string, string>} headers gets the media type
 * @returns {Buffer | undefined}
 */
function bodyOf({ content, path }, document, kind, known, random, headers) {
  if (!content) {
    // None belongs there.
    if (kind === 'valid' || !random.chance(0.25)) return undefined;
    headers['content-type'] = 'application/json';
    const text = JSON.stringify(hostileValue(random));
    return random.chance(0.5) ? spoilt(text, random, headers) : Buffer.from(text);
  }
  const mediaType = random.pick(Object.keys(content));
  headers['content-type'] = mediaType;
  const schema = /** @type {{ schema: Schema }} */ (content[mediaType]).schema;
  if (!mediaType.includes('json') || mediaType.includes('ndjson')) {
    return Buffer.from(linesOf(mediaType, document, kind, random));
  }
  let value =
    kind === 'valid' ? validValue(schema, document, random) : invalidValue(schema, document, random);
  if (kind === 'hostile' && random.chance(0.2)) value = hostileValue(random);
  if (typeof value === 'object' && value !== null && random.chance(0.7)) {
    // Without these, hardly a request would get past the door.
    for (const name of ['email', 'password', 'currentPassword', 'refreshToken']) {
      const own = name === 'currentPassword' ? known.password : known[/** @type {'email'} */ (name)];
      if (typeof value[name] === 'string' && !path.endsWith('register')) value[name] = own;
    }
  }
  const text = JSON.stringify(value);
  return kind === 'hostile' && random.chance(0.35) ? spoilt(text, random, headers) : Buffer.from(text);
}

/** @param {string} mediaType @param {any} document @param {Kind} kind @param {Random} random */
function linesOf(mediaType, document, kind, random) {
  const schema = document.components.schemas.EntryCreate ?? {};
  const rows = Array.from({ length: random.whole(0, 4) }, () =>
    kind === 'valid' ? validValue(schema, document, random) : invalidValue(schema, document, random),
  );
  if (kind === 'hostile' && random.chance(0.3)) return hostileText(random);
  if (!mediaType.includes('csv')) return rows.map((row) => JSON.stringify(row)).join('\n');
  const columns = ['text', 'mood', 'category', 'tags', 'occurredAt'];
  return [columns, ...rows.map((row) => columns.map((name) => csv(row?.[name])))]
    .map((row) => row.join(','))
    .join('\r\n');
}

/** @param {any} value */
function csv(value) {
  return `"${textOf(value ?? '').replaceAll('"', '""')}"`;
}

/** A body that is no JSON, or not in UTF-8, or not what its headers say. @param {string} text @param {Random} random @param {Record<string, string>} headers */
function spoilt(text, random, headers) {
  switch (random.whole(0, 10)) {
    case 0:
      return Buffer.from(text.slice(0, random.whole(0, text.length)));
    case 1:
      return Buffer.concat([
        Buffer.from(text.slice(0, 5)),
        Buffer.from([0xff, 0xfe, 0xc3, 0x28]),
        Buffer.from(text.slice(5)),
      ]);
    case 2:
      return Buffer.from(text, 'utf16le');
    case 3:
      return Buffer.from(`\ufeff${text}`);
    case 4:
      headers['content-type'] = random.pick([
        'text/plain',
        'application/xml',
        'multipart/form-data; boundary=a',
        'application/json; charset=utf-16',
        'application/json;;;',
        'nonsense',
        'application/jsonx',
        `application/${'x'.repeat(500)}`,
      ]);
      return Buffer.from(text);
    case 5:
      headers['content-encoding'] = random.pick(['gzip', 'br', 'nonsense']);
      return Buffer.from(text);
    case 6:
      return Buffer.from('['.repeat(50_000) + ']'.repeat(50_000));
    case 7:
      return Buffer.from(`${text}${text}`);
    case 8:
      return Buffer.from(text.replace(/}$/, ',"__proto__":{"a":1}}'));
    case 9:
      return Buffer.alloc(1_048_577, 'x');
    default:
      return Buffer.from('{"a":1e999,"a":-0,"text":"\\ud800"}');
  }
}

/** @param {Random} random @returns {Record<string, string>} */
function hostileHeaders(random) {
  const choices = {
    'x-request-id': headerText(hostileText(random)),
    'x-forwarded-for': headerText(hostileText(random)),
    'x-forwarded-host': 'evil.example',
    'x-http-method-override': 'DELETE',
    'x-original-url': '/metrics',
    'user-agent': headerText(hostileText(random)),
    accept: random.pick(['text/html', '*/*;q=0', 'nonsense', 'application/xml']),
    'accept-encoding': random.pick(['br', '*;q=0', 'nonsense']),
    'if-modified-since': headerText(hostileText(random)),
    range: random.pick(['bytes=0-0', 'bytes=9-1', 'nonsense']),
    origin: random.pick(['null', 'https://evil.example', headerText(hostileText(random))]),
    cookie: `a=${headerText(hostileText(random))}`,
    upgrade: 'websocket',
    'idempotency-key': headerText(hostileText(random)),
    te: 'trailers, deflate',
  };
  return Object.fromEntries(Object.entries(choices).filter(() => random.chance(0.2)));
}

/** What Node lets into a header. @param {string} text */
function headerText(text) {
  return text.replace(/[^\t\x20-\x7e\x80-\xff]/g, '?').slice(0, 4000);
}

/** @param {string} text */
function encode(text) {
  return isScalar(text) ? encodeURIComponent(text) : '%ED%A0%80';
}

/** Without lone surrogates, which have no UTF-8. @param {string} text */
function isScalar(text) {
  return !/\p{Surrogate}/u.test(text);
}

/** @param {any} value */
function textOf(value) {
  return typeof value === 'object' ? (JSON.stringify(value) ?? '') : String(value);
}
