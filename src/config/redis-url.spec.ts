import { describe, expect, it } from '@jest/globals';
import { parseRedisUrl } from './redis-url.js';

describe('parseRedisUrl', () => {
  const plain = {
    host: 'localhost',
    port: 6379,
    username: undefined,
    password: undefined,
    database: 0,
    tls: false,
  };

  it.each([
    ['redis://localhost', plain],
    ['redis://localhost/', plain],
    ['redis://', plain],
    ['rediss://localhost', { ...plain, tls: true }],
    ['redis://[::1]:6380/15', { ...plain, host: '::1', port: 6380, database: 15 }],
    ['redis://ada@redis', { ...plain, host: 'redis', username: 'ada' }],
    ['redis://:pw@redis', { ...plain, host: 'redis', password: 'pw' }],
    ['redis://a%3Ab:p%40%2F%3F%23@redis', { ...plain, host: 'redis', username: 'a:b', password: 'p@/?#' }],
    ['redis://:p@ss:w@redis', { ...plain, host: 'redis', password: 'p@ss:w' }],
    ['redis://:100%^@redis', { ...plain, host: 'redis', password: '100%^' }],
    ['redis://redis?family=0', { ...plain, host: 'redis' }],
  ])('reads %s', (url, expected) => {
    expect(parseRedisUrl(url)).toEqual(expected);
  });

  const form = 'must be redis://user:password@host:port/database, with / ? # in the password percent-encoded';

  it.each([
    ['', form],
    ['localhost:6379', form],
    ['http://localhost:6379', form],
    ['redis://localhost:port', form],
    ['redis://localhost/first', form],
    // Read by the book, these would be Redis on the host `ada`, port 12.
    ['redis://ada:12/3@redis', form],
    ['redis://ada:12?3@redis', form],
    ['redis://ada:12#3@redis', form],
    ['redis://localhost:0', 'must have a port from 1 to 65535'],
    ['redis://localhost:65536', 'must have a port from 1 to 65535'],
  ])('refuses %j', (url, message) => {
    expect(() => parseRedisUrl(url)).toThrow(new Error(message));
  });
});
