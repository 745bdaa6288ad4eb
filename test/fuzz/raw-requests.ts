import { connect } from 'node:net';

const HOST = 'host: a';
const JSON_BODY = ['content-type: application/json', 'content-length: 2'];
const http = (line: string, ...rest: string[]) => [line, ...rest, '', ''].join('\r\n');
const login = (...headers: string[]) => http('POST /auth/login HTTP/1.1', HOST, ...headers);

/** Bytes that no HTTP library would send. Each is answered with a problem, or the connection is closed. */
export const RAW_REQUESTS: readonly string[] = [
  ...['GETPOST', 'PROPFIND', 'PURGE', 'TRACE', 'LINK', 'M-SEARCH'].map((method) =>
    http(`${method} /entries HTTP/1.1`, HOST, 'content-length: 0'),
  ),
  ...['*', 'http://evil.example/entries', '//entries', '/entries/../health', '/./health', '/entries//'].map(
    (path) => http(`GET ${path} HTTP/1.1`, HOST),
  ),
  ...['/%2e%2e/%2e%2e/etc/passwd', '/\\;?#[]{}|^`"<> é%', `/${'x'.repeat(15_000)}`].map((path) =>
    http(`GET ${path} HTTP/1.1`, HOST),
  ),
  http('CONNECT evil.example:443 HTTP/1.1', HOST),
  http('GET /health/live HTTP/1.1'),
  http('GET /health/live HTTP/1.0'),
  http('GET /health/live HTTP/9.9', HOST),
  http('GET /health/live'),
  http('GET /health/live HTTP/1.1', HOST, 'host: b'),
  http('GET /health/live HTTP/1.1', HOST, 'x-bad\0: 1'),
  http('GET /health/live HTTP/1.1', HOST, 'x: a\nb: c'),
  http('GET / HTTP/1.1', HOST, `x: ${'y'.repeat(20_000)}`),
  http('GET / HTTP/1.1', HOST, ...Array.from({ length: 2500 }, (_, i) => `h${i}: 1`)),
  login('content-length: -1'),
  `${login('content-length: 2', 'transfer-encoding: chunked')}0\r\n\r\n`,
  login('transfer-encoding: nonsense'),
  `${login('content-type: application/json', 'transfer-encoding: chunked')}zz\r\n\r\n`,
  `${login(...JSON_BODY, 'expect: nonsense')}{}`,
  `${login(...JSON_BODY, 'expect: 100-continue')}{}`,
  http('PRI * HTTP/2.0', '', 'SM'),
  '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03',
];

/** @returns everything that came back, in latin1, before the server closed the connection */
export function sendRaw(url: string, bytes: string): Promise<string> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname);
    let received = '';
    socket.setTimeout(5000, () => socket.destroy(new Error('no response within 5 s')));
    socket.setEncoding('latin1').on('data', (chunk: string) => (received += chunk));
    socket.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'ECONNRESET') reject(error);
    });
    socket.once('close', () => resolve(received));
    socket.end(Buffer.from(bytes, 'latin1'));
  });
}
