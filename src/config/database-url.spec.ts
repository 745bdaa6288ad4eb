import { describe, expect, it } from '@jest/globals';
import { parseDatabaseUrl } from './database-url.js';

describe('parseDatabaseUrl', () => {
  it('reads every part', () => {
    expect(parseDatabaseUrl('postgres://ada:pw@db.example:6432/journal?sslmode=verify-full')).toEqual({
      host: 'db.example',
      port: 6432,
      user: 'ada',
      password: 'pw',
      name: 'journal',
      sslmode: 'verify-full',
    });
  });

  it('leaves out what the URL leaves out', () => {
    expect(parseDatabaseUrl('postgresql://localhost/journal')).toEqual({
      host: 'localhost',
      name: 'journal',
    });
    expect(parseDatabaseUrl('postgres://ada@localhost/journal')).toEqual({
      host: 'localhost',
      user: 'ada',
      name: 'journal',
    });
  });

  it('reads an IPv6 host without its brackets', () => {
    expect(parseDatabaseUrl('postgres://ada:pw@[::1]:5432/journal')).toMatchObject({
      host: '::1',
      port: 5432,
    });
  });

  it('decodes user, host and name', () => {
    expect(parseDatabaseUrl('postgres://a%40b:pw@h%2Dx/my%20db')).toMatchObject({
      user: 'a@b',
      host: 'h-x',
      name: 'my db',
    });
  });

  it('passes over the parameters of other clients', () => {
    expect(parseDatabaseUrl('postgres://h/db?connect_timeout=10&application_name=a@b')).toEqual({
      host: 'h',
      name: 'db',
    });
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

  it.each(passwords)('takes the password %j percent-encoded', (password) => {
    expect(parseDatabaseUrl(`postgres://ada:${encodeURIComponent(password)}@host:5432/db`)).toEqual({
      host: 'host',
      port: 5432,
      user: 'ada',
      password,
      name: 'db',
    });
  });

  it.each(passwords)('takes the password %j as it is', (password) => {
    expect(parseDatabaseUrl(`postgres://ada:${password}@host:5432/db?sslmode=require`)).toEqual({
      host: 'host',
      port: 5432,
      user: 'ada',
      password,
      name: 'db',
      sslmode: 'require',
    });
  });

  it('takes every printable character in a password, alone and in company', () => {
    const characters = Array.from({ length: 95 }, (_, index) => String.fromCharCode(32 + index));
    for (const password of characters.flatMap((one) => [one, `x${one}y`, `${one}%`, `@${one}`])) {
      expect(parseDatabaseUrl(`postgres://ada:${password}@host/db`)).toMatchObject({
        host: 'host',
        password,
      });
      expect(parseDatabaseUrl(`postgres://ada:${encodeURIComponent(password)}@host/db`)).toMatchObject({
        host: 'host',
        password,
      });
    }
  });

  it('reads a password that is valid either way as percent-encoded', () => {
    expect(parseDatabaseUrl('postgres://ada:100%25@host/db').password).toBe('100%');
  });

  it.each([
    ['', 'must begin with postgres://'],
    ['mysql://localhost/db', 'must begin with postgres://'],
    ['localhost:5432/db', 'must begin with postgres://'],
    ['postgres://', 'must be postgres://user:password@host:port/name'],
    ['postgres://localhost', 'must be postgres://user:password@host:port/name'],
    ['postgres://localhost/', 'must be postgres://user:password@host:port/name'],
    ['postgres:///db', 'must be postgres://user:password@host:port/name'],
    ['postgres://ada:pw@/db', 'must be postgres://user:password@host:port/name'],
    ['postgres://ada:pw@host:port/db', 'must be postgres://user:password@host:port/name'],
    ['postgres://ada:pw@one,two/db/x', 'must be postgres://user:password@host:port/name'],
    ['postgres://ada:pw@host/db#part', 'must be postgres://user:password@host:port/name'],
    ['postgres://ada:pw@host:0/db', 'must have a port from 1 to 65535'],
    ['postgres://ada:pw@host:65536/db', 'must have a port from 1 to 65535'],
    [
      'postgres://h/db?sslmode=verify_full',
      'must have an sslmode of disable, allow, prefer, require, verify-ca, verify-full',
    ],
    [
      'postgres://h/db?sslmode=',
      'must have an sslmode of disable, allow, prefer, require, verify-ca, verify-full',
    ],
    ['postgres://h/db?ssl=true', 'must say sslmode=require or sslmode=verify-full instead of ssl='],
  ])('refuses %j', (url, message) => {
    expect(() => parseDatabaseUrl(url)).toThrow(new Error(message));
  });
});
