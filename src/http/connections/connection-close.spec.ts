import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { Agent, get, type IncomingMessage } from 'node:http';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { fastify, type FastifyInstance } from 'fastify';
import { until } from '../../../test/harness/until.js';
import { closeConnectionsPolitely } from './connection-close.js';
import { OpenRequests } from './open-requests.js';

describe('closeConnectionsPolitely', () => {
  let server: FastifyInstance;
  let agent: Agent;
  let requests: OpenRequests;
  beforeEach(() => {
    server = fastify({ return503OnClosing: false });
    requests = new OpenRequests();
    server.addHook('onRequest', (_request, reply, done) => {
      requests.add(reply);
      done();
    });
    closeConnectionsPolitely(server, requests);
    agent = new Agent({ keepAlive: true });
  });
  afterEach(async () => {
    agent.destroy();
    await server.close();
  });

  it('sends Connection: close only after the shutdown has begun', async () => {
    let finish = (): void => {};
    let arrived = (): void => {};
    const slowHasArrived = new Promise<void>((resolve) => (arrived = resolve));
    server.get('/fast', () => 'done');
    server.get('/slow', async () => {
      arrived();
      await new Promise<void>((resolve) => (finish = resolve));
      return 'done';
    });
    const closingHasBegun = new Promise<void>((resolve) => {
      server.addHook('preClose', (done) => {
        resolve();
        done();
      });
    });
    const url = await server.listen({ host: '127.0.0.1', port: 0 });

    const connectionOf = async (path: string) => {
      const [answer] = (await once(get(url + path, { agent }), 'response')) as [IncomingMessage];
      answer.resume();
      await once(answer, 'end');
      return answer.headers.connection;
    };
    expect(await connectionOf('/fast')).toBe('keep-alive');
    const slow = connectionOf('/slow');
    await slowHasArrived;
    const closed = server.close();
    await closingHasBegun;
    finish();
    expect(await slow).toBe('close');
    await closed;
  });

  it('sends Connection: close while draining, and still serves', async () => {
    server.get('/', () => 'done');
    const url = await server.listen({ host: '127.0.0.1', port: 0 });
    expect((await fetch(url)).headers.get('connection')).toBe('keep-alive');
    requests.beginDrain();
    const { status, headers } = await fetch(url);
    expect(status).toBe(200);
    expect(headers.get('connection')).toBe('close');
  });

  it('serves requests that arrive on an open connection', async () => {
    server.get('/', () => 'done');
    const closingHasBegun = new Promise<void>((resolve) => {
      server.addHook('preClose', (done) => {
        resolve();
        done();
      });
    });
    const { port } = new URL(await server.listen({ host: '127.0.0.1', port: 0 }));
    const socket = connect(Number(port), '127.0.0.1');
    socket.on('error', () => {});
    let answer = '';
    socket.setEncoding('latin1').on('data', (chunk: string) => (answer += chunk));
    // Half a request: such a connection is not idle, and is not closed as one.
    socket.write('GET / HTTP/1.1\r\nhost: a\r\n');
    await once(server.server, 'connection');
    const closed = server.close();
    await closingHasBegun;
    socket.write('\r\n');
    await new Promise((resolve) => socket.once('close', resolve));
    expect(answer).toMatch(/^HTTP\/1.1 200 /);
    expect(answer).toMatch(/^connection: close\r$/im);
    await closed;
  });

  it.each([
    ['on which nothing was sent', '', () => {}],
    [
      'on which half a request was sent, when time is up',
      'GET / HTTP/1.1\r\nhost: a\r\n',
      () => requests.abortStreams(),
    ],
  ])('does not wait for a connection %s', async (_which, bytes, then) => {
    server.get('/', () => 'done');
    const { port } = new URL(await server.listen({ host: '127.0.0.1', port: 0 }));
    const accepted = once(server.server, 'connection') as Promise<[Socket]>;
    const socket = connect(Number(port), '127.0.0.1');
    socket.on('error', () => {});
    socket.write(bytes);
    const [other] = await accepted;
    await until('it has arrived', () => other.bytesRead === bytes.length);
    const closed = server.close();
    then();
    await closed;
    socket.destroy();
  });
});
