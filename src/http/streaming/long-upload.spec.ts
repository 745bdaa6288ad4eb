import { once } from 'node:events';
import {
  createServer,
  request,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from '@jest/globals';
import { respondToClientError } from '../problem/client-error.js';
import { allowLongUpload } from './long-upload.js';

let server: Server;
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

/** A server that gives a request 50 ms, and tells when it has given one up. */
async function serve(listener: RequestListener): Promise<{ port: number; givenUp: Promise<unknown> }> {
  server = createServer({ requestTimeout: 50, connectionsCheckingInterval: 10 }, listener);
  server.on('clientError', (error: Error, socket: Socket) => respondToClientError(error, socket));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { port: (server.address() as AddressInfo).port, givenUp: once(server, 'clientError') };
}

/** Sends a body in two pieces, the second when `givenUp` is over. */
async function sendSlowly(port: number, givenUp: Promise<unknown>): Promise<IncomingMessage> {
  const upload = request({ port, host: '127.0.0.1', method: 'POST', agent: false });
  upload.on('error', () => {});
  const responded = once(upload, 'response') as Promise<[IncomingMessage]>;
  upload.write('a');
  await givenUp;
  upload.end('b');
  const [response] = await responded;
  response.resume();
  return response;
}

async function readAll(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
  const release = allowLongUpload(incoming);
  let text = '';
  for await (const chunk of incoming) text += String(chunk);
  release();
  response.end(text);
}

describe('an upload that takes longer than requestTimeout', () => {
  it('is ended with 408', async () => {
    const { port, givenUp } = await serve((incoming) => incoming.resume());
    expect((await sendSlowly(port, givenUp)).statusCode).toBe(408);
  });

  it('continues if the route allows it', async () => {
    const { port, givenUp } = await serve((incoming, response) => void readAll(incoming, response));
    expect((await sendSlowly(port, givenUp)).statusCode).toBe(200);
  });

  it('is the only exception: the next request on its connection has the time limit', async () => {
    let requests = 0;
    const { port } = await serve((incoming, response) => {
      requests += 1;
      if (requests === 1) void readAll(incoming, response);
      else incoming.resume();
    });
    const socket = connect(port, '127.0.0.1').setEncoding('latin1');
    let received = '';
    socket.on('data', (text: string) => (received += text));
    socket.write('POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\na');
    await sleep(100);
    socket.write('b');
    await once(socket, 'data');
    expect(received).toMatch(/^HTTP\/1\.1 200 /);
    received = '';
    socket.write('POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\na');
    await once(socket, 'close');
    expect(received).toMatch(/^HTTP\/1\.1 408 /);
  });
});
