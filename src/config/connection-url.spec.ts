import { describe, expect, it } from '@jest/globals';
import { databaseUrl, redisUrl } from './connection-url.js';

function reasonOf(type: typeof databaseUrl | typeof redisUrl, text: string) {
  return type.safeParse(text).error?.issues[0]?.message;
}

describe('databaseUrl', () => {
  const minimal = { host: 'h', port: 5432, user: 'postgres', password: '', name: 'db' };

  it.each([
    [
      'postgres://ada:pw@db.example:6432/journal?sslmode=verify-full',
      { host: 'db.example', port: 6432, user: 'ada', password: 'pw', name: 'journal', ssl: 'verify-full' },
    ],
    ['postgresql://h/db', minimal],
    ['postgres://ada@h/db', { ...minimal, user: 'ada' }],
    ['postgres://[::1]:5432/db', { ...minimal, host: '::1' }],
    ['postgres://a%40b@h%2Dx/my%20db', { ...minimal, user: 'a@b', host: 'h-x', name: 'my db' }],
    ['postgres://h/db?connect_timeout=10&application_name=a@b', minimal],
  ])('reads %s', (url, expected) => {
    expect(databaseUrl.parse(url)).toEqual(expected);
  });

  const passwords = [
    'p@ss:w/rd?#%',
    '@',
    '@@',
    ':',
    '/',
    '?',
    '#',
    '%',
    '%%',
    '%zz',
    '100%^sure=',
    'pä%ß',
    'a b',
    "'",
    '"',
    '\\',
    '{}|^`',
    '[::1]',
    '<>',
    'a+b&c=d;e,f',
    '😀',
    '1/2?3',
    '12#3',
    '12/3@h',
    'x@h/db',
    'x@h:1/db?y',
    'tab\tbed',
  ];

  it.each(passwords)('accepts the password %j, percent-encoded', (password) => {
    expect(databaseUrl.parse(`postgres://ada:${encodeURIComponent(password)}@host:5432/db`)).toEqual({
      host: 'host',
      port: 5432,
      user: 'ada',
      password,
      name: 'db',
    });
  });

  it.each(passwords)('accepts the password %j, not encoded', (password) => {
    expect(databaseUrl.parse(`postgres://ada:${password}@host:5432/db?sslmode=require`)).toEqual({
      host: 'host',
      port: 5432,
      user: 'ada',
      password,
      name: 'db',
      ssl: 'require',
    });
  });

  it('accepts every printable character in a password, alone and next to others', () => {
    const characters = Array.from({ length: 95 }, (_, index) => String.fromCharCode(32 + index));
    for (const password of characters.flatMap((one) => [one, `x${one}y`, `${one}%`, `@${one}`])) {
      expect(databaseUrl.parse(`postgres://ada:${password}@host/db`)).toMatchObject({
        host: 'host',
        password,
      });
      expect(databaseUrl.parse(`postgres://ada:${encodeURIComponent(password)}@host/db`)).toMatchObject({
        host: 'host',
        password,
      });
    }
  });

  it('decodes a password that could be either', () => {
    expect(databaseUrl.parse('postgres://ada:100%25@host/db').password).toBe('100%');
  });

  const form = 'must be postgres://user:password@host:port/database';
  const ssl = 'must have an sslmode of disable, allow, prefer, require, verify-ca, verify-full, and no ssl';

  it.each([
    ['', form],
    ['mysql://localhost/db', form],
    ['localhost:5432/db', form],
    ['postgres://', form],
    ['postgres://localhost', form],
    ['postgres://localhost/', form],
    ['postgres:///db', form],
    ['postgres://ada:pw@/db', form],
    ['postgres://ada:pw@host:port/db', form],
    ['postgres://ada:pw@one,two/db/x', form],
    ['postgres://ada:pw@host/db#part', form],
    ['postgres://ada:pw@host:0/db', form],
    ['postgres://ada:pw@host:65536/db', form],
    ['postgres://h/db?sslmode=verify_full', ssl],
    ['postgres://h/db?sslmode=', ssl],
    ['postgres://h/db?ssl=true', ssl],
  ])('refuses %j', (url, message) => {
    expect(reasonOf(databaseUrl, url)).toBe(message);
  });
});

describe('redisUrl', () => {
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
    expect(redisUrl.parse(url)).toEqual(expected);
  });

  const form = 'must be redis://user:password@host:port/database, with / ? # in the password percent-encoded';

  it.each([
    ['', form],
    ['localhost:6379', form],
    ['http://localhost:6379', form],
    ['redis://localhost:port', form],
    ['redis://localhost/first', form],
    // As URLs, these would be Redis on the host `ada`, port 12.
    ['redis://ada:12/3@redis', form],
    ['redis://ada:12?3@redis', form],
    ['redis://ada:12#3@redis', form],
    ['redis://localhost:0', form],
    ['redis://localhost:65536', form],
  ])('refuses %j', (url, message) => {
    expect(reasonOf(redisUrl, url)).toBe(message);
  });
});
