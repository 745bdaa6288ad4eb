import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { ServiceUnavailableException } from '@nestjs/common';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { DatabaseError, Pool } from 'pg';
import { QueryFailedError } from 'typeorm';
import { asDatabaseUnavailable, asQueryTimeout } from './database-unavailable.js';

function withCode(code: string, message = 'an error'): Error {
  return Object.assign(new Error(message), { code });
}

function ofServer(sqlState: string): DatabaseError {
  return Object.assign(new DatabaseError('a message', 9, 'error'), { code: sqlState });
}

describe('asDatabaseUnavailable', () => {
  it.each([
    'ECONNREFUSED',
    'ECONNRESET',
    'ETIMEDOUT',
    'EPIPE',
    'EHOSTUNREACH',
    'ENETUNREACH',
    'ENOTFOUND',
    'EAI_AGAIN',
  ])('makes a 503 of the socket error %s', (code) => {
    expect(asDatabaseUnavailable(withCode(code))).toBeInstanceOf(ServiceUnavailableException);
  });

  it.each([
    ['08000', 'connection exception'],
    ['08006', 'connection failure'],
    ['08P01', 'protocol violation'],
    ['53300', 'too many connections'],
    ['25P03', 'idle for too long within a transaction'],
    ['57P01', 'shut down by an administrator'],
    ['57P02', 'shut down by a crash'],
    ['57P03', 'starting up'],
    ['25006', 'read-only, after a failover'],
    ['40001', 'serialization failure'],
    ['40P01', 'deadlock'],
  ])("makes a 503 of PostgreSQL's %s, %s", (sqlState) => {
    expect(asDatabaseUnavailable(ofServer(sqlState))).toBeInstanceOf(ServiceUnavailableException);
  });

  it.each([
    'Connection terminated',
    'Connection terminated unexpectedly',
    'Connection terminated due to connection timeout',
    'timeout exceeded when trying to connect',
    'timeout expired',
    'Query read timeout',
    'Client has encountered a connection error and is not queryable',
    'Client was closed and is not queryable',
    'Cannot use a pool after calling end on the pool',
  ])('makes a 503 of driver errors without a code: %s', (message) => {
    expect(asDatabaseUnavailable(new Error(message))).toBeInstanceOf(ServiceUnavailableException);
  });

  it('reads errors that TypeORM has wrapped', () => {
    const refused = new QueryFailedError('SELECT 1', [], withCode('ECONNREFUSED'));
    expect(asDatabaseUnavailable(refused)).toBeInstanceOf(ServiceUnavailableException);
    const duplicate = new QueryFailedError('SELECT 1', [], ofServer('23505'));
    expect(asDatabaseUnavailable(duplicate)).toBeUndefined();
  });

  it('reads the AggregateError of a host with several addresses', () => {
    const refused = new AggregateError([
      withCode('ECONNREFUSED', '::1'),
      withCode('ECONNREFUSED', '127.0.0.1'),
    ]);
    expect(asDatabaseUnavailable(refused)).toBeInstanceOf(ServiceUnavailableException);
    expect(asDatabaseUnavailable(new AggregateError([new Error('no')]))).toBeUndefined();
  });

  it.each([
    ['23505', 'unique violation'],
    ['23503', 'foreign key violation'],
    ['23514', 'check violation'],
    ['22P05', 'untranslatable character'],
    ['42P01', 'undefined table'],
    ['42601', 'syntax error'],
    ['28P01', 'wrong password'],
    ['57P04', 'database dropped'],
    ['40002', 'transaction integrity violation'],
    ['108000', 'not a state at all'],
  ])('leaves alone %s, %s: a retry does not help', (sqlState) => {
    expect(asDatabaseUnavailable(ofServer(sqlState))).toBeUndefined();
  });

  it.each<[string, unknown]>([
    ['a client that broke its request off', withCode('ECONNRESET', 'aborted')],
    ['a bug', new TypeError("Cannot read properties of undefined (reading 'id')")],
    ['an error that speaks of a connection in passing', new Error('bad frame: Connection terminated')],
    ['another code', withCode('ENOENT')],
    ['a code that is no text', Object.assign(new Error('x'), { code: 57_014 })],
    ['no error', { code: 'ECONNREFUSED', message: 'Connection terminated' }],
    ['a text', 'ECONNREFUSED'],
    ['nothing', undefined],
    ['null', null],
  ])('leaves alone %s', (_what, error) => {
    expect(asDatabaseUnavailable(error)).toBeUndefined();
  });

  it('does not reveal the cause to the client', () => {
    const exception = asDatabaseUnavailable(withCode('ECONNREFUSED', 'connect ECONNREFUSED 10.1.2.3:5432'));
    expect(exception?.message).toBe('The database is unavailable');
    expect(JSON.stringify(exception?.getResponse())).not.toMatch(/10\.1\.2\.3|ECONNREFUSED/);
  });

  // Not ECONNREFUSED: Jest gives tests an Error class that is not the one of Node's sockets.
  describe('knows the errors of pg itself', () => {
    let server: Server;
    let onConnection: (socket: Socket) => void;
    let settings: { host: string; port: number; connectionTimeoutMillis: number };
    beforeAll(async () => {
      server = createServer((socket) => {
        socket.on('error', () => {});
        socket.resume();
        onConnection(socket);
      });
      await once(server.listen(0, '127.0.0.1'), 'listening');
      settings = {
        host: '127.0.0.1',
        port: (server.address() as AddressInfo).port,
        connectionTimeoutMillis: 500,
      };
    });
    afterAll(async () => {
      server.close();
      await once(server, 'close');
    });

    async function errorOf(pool: Pool): Promise<unknown> {
      const error: unknown = await pool.query('SELECT 1').catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(Error);
      return error;
    }

    it('when the server hangs up', async () => {
      onConnection = (socket) => socket.end();
      const pool = new Pool({ ...settings, connectionTimeoutMillis: 0 });
      expect(asDatabaseUnavailable(await errorOf(pool))).toBeInstanceOf(ServiceUnavailableException);
      await pool.end();
    });

    it('when the server never answers', async () => {
      onConnection = () => {};
      const pool = new Pool(settings);
      expect(asDatabaseUnavailable(await errorOf(pool))).toBeInstanceOf(ServiceUnavailableException);
      await pool.end();
    });

    it('when no connection of the pool becomes free', async () => {
      onConnection = (socket) => {
        // AuthenticationOk and ReadyForQuery: https://www.postgresql.org/docs/current/protocol-message-formats.html
        socket.once('data', () => socket.write(Buffer.from('5200000008000000005a0000000549', 'hex')));
      };
      const pool = new Pool({ ...settings, max: 1 });
      const held = await pool.connect();
      expect(asDatabaseUnavailable(await errorOf(pool))).toBeInstanceOf(ServiceUnavailableException);
      held.release(true);
      await pool.end();
    });

    it('when the pool was ended', async () => {
      const pool = new Pool(settings);
      await pool.end();
      expect(asDatabaseUnavailable(await errorOf(pool))).toBeInstanceOf(ServiceUnavailableException);
    });
  });
});

describe('asQueryTimeout', () => {
  it('is a 504 for a cancelled statement, also if TypeORM has wrapped the error', () => {
    const cancelled = ofServer('57014');
    expect(asQueryTimeout(cancelled)?.getStatus()).toBe(504);
    expect(asQueryTimeout(new QueryFailedError('SELECT 1', [], cancelled))?.getStatus()).toBe(504);
    expect(asDatabaseUnavailable(cancelled)).toBeUndefined();
  });

  it.each(['57P01', '57P03', '23505'])('is undefined for %s', (sqlState) => {
    expect(asQueryTimeout(ofServer(sqlState))).toBeUndefined();
  });
});
