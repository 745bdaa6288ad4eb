import { createServer, type Server } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { respondToClientError } from './client-error.js';

describe('a client that is too slow', () => {
  let server: Server;
  beforeEach(async () => {
    server = createServer(
      { headersTimeout: 50, requestTimeout: 150, connectionsCheckingInterval: 10 },
      (request, response) => {
        request.resume().once('end', () => response.end());
      },
    );
    server.on('clientError', (error: Error, socket) => respondToClientError(error, socket as Socket));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  });
  afterEach(() => new Promise((resolve) => server.close(resolve)));

  it.each([
    ['with its headers', 'GET / HTTP/1.1\r\nhost: a\r\nx-slow: '],
    ['with its body', 'POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\nhalf'],
  ])('answers %s with 408 and closes the connection', async (_name, text) => {
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
    let response = '';
    socket.setEncoding('latin1').on('data', (chunk: string) => (response += chunk));
    socket.write(text);
    await new Promise((resolve) => socket.once('close', resolve));
    expect(response).toMatch(/^HTTP\/1\.1 408 /);
    expect(response).toMatch(/^content-type: application\/problem\+json/im);
  });
});
