import { connect } from 'node:net';

/** @typedef {import('./random.js').Random} Random */

const LINE = '\r\n';

/**
 * Bytes that no HTTP library would send. Each is answered with a problem, or the connection is closed.
 *
 * @type {((random: Random) => string)[]}
 */
const RAW = [
  (random) => `${random.text(8, 'GETPOS')} / HTTP/1.1${LINE}host: a${LINE}${LINE}`,
  (random) => `GET /${random.text(30, '/.%2e\\;?#[]{}|^`"<> é')} HTTP/1.1${LINE}host: a${LINE}${LINE}`,
  (random) =>
    `${random.pick(['PROPFIND', 'PURGE', 'TRACE', 'LINK', 'M-SEARCH'])} /entries HTTP/1.1${LINE}host: a${LINE}content-length: 0${LINE}${LINE}`,
  (random) =>
    `GET ${random.pick(['*', 'http://evil.example/entries', '//entries', '/entries/../health', '/./health', '/entries//', '/%2e%2e/%2e%2e/etc/passwd'])} HTTP/1.1${LINE}host: a${LINE}${LINE}`,
  () => `CONNECT evil.example:443 HTTP/1.1${LINE}host: a${LINE}${LINE}`,
  () => `GET /health/live HTTP/1.1${LINE}${LINE}`,
  () => `GET /health/live HTTP/1.0${LINE}${LINE}`,
  () => `GET /health/live HTTP/9.9${LINE}host: a${LINE}${LINE}`,
  () => `GET /health/live${LINE}${LINE}`,
  () => `GET /health/live HTTP/1.1${LINE}host: a${LINE}host: b${LINE}${LINE}`,
  (random) => `GET /${'x'.repeat(random.whole(1000, 15_000))} HTTP/1.1${LINE}host: a${LINE}${LINE}`,
  () => `GET / HTTP/1.1${LINE}host: a${LINE}x: ${'y'.repeat(20_000)}${LINE}${LINE}`,
  () =>
    `GET / HTTP/1.1${LINE}host: a${LINE}${Array.from({ length: 2500 }, (_each, i) => `h${i}: 1${LINE}`).join('')}${LINE}`,
  () => `POST /auth/login HTTP/1.1${LINE}host: a${LINE}content-length: -1${LINE}${LINE}`,
  () =>
    `POST /auth/login HTTP/1.1${LINE}host: a${LINE}content-length: 2${LINE}transfer-encoding: chunked${LINE}${LINE}0${LINE}${LINE}`,
  () => `POST /auth/login HTTP/1.1${LINE}host: a${LINE}transfer-encoding: nonsense${LINE}${LINE}`,
  () =>
    `POST /auth/login HTTP/1.1${LINE}host: a${LINE}content-type: application/json${LINE}transfer-encoding: chunked${LINE}${LINE}zz${LINE}${LINE}`,
  () =>
    `POST /auth/login HTTP/1.1${LINE}host: a${LINE}content-type: application/json${LINE}expect: nonsense${LINE}content-length: 2${LINE}${LINE}{}`,
  () =>
    `POST /auth/login HTTP/1.1${LINE}host: a${LINE}content-type: application/json${LINE}expect: 100-continue${LINE}content-length: 2${LINE}${LINE}{}`,
  () => `GET /health/live HTTP/1.1${LINE}host: a${LINE}x-bad\0: 1${LINE}${LINE}`,
  () => `GET /health/live HTTP/1.1${LINE}host: a${LINE}x: a\nb: c${LINE}${LINE}`,
  () => `PRI * HTTP/2.0${LINE}${LINE}SM${LINE}${LINE}`,
  () => '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03',
];

/** @param {Random} random @param {number} index of the kind, whatever it is */
export function rawRequest(random, index) {
  return /** @type {(random: Random) => string} */ (RAW[index % RAW.length])(random);
}

/**
 * @param {string} url @param {string} bytes in latin1
 * @returns {Promise<string>} all that came back before the connection ended, which this end does once it has sent
 */
export function sendRaw(url, bytes) {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname);
    let received = '';
    socket.setTimeout(5000, () => socket.destroy(new Error('no answer within 5 s')));
    socket.setEncoding('latin1').on('data', (chunk) => (received += String(chunk)));
    socket.once('error', (error) =>
      'code' in error && error.code === 'ECONNRESET' ? undefined : reject(error),
    );
    socket.once('close', () => resolve(received));
    socket.end(Buffer.from(bytes, 'latin1'));
  });
}
