import { availableParallelism } from 'node:os';
import { describe, expect, it } from '@jest/globals';
import { faultsOf, MINIMAL, SECRET } from '../../test/harness/config.js';
import { EXAMPLE_SECRET } from './config.schema.js';
import { loadConfig } from './config.js';

describe('JWT_SECRET', () => {
  it('has 32 bytes or more, which may be fewer characters', () => {
    const of32Bytes = 'äöüßéèêåÄÖÜçñøæþ';
    expect([of32Bytes.length, Buffer.byteLength(of32Bytes)]).toEqual([16, 32]);
    expect(loadConfig({ ...MINIMAL, JWT_SECRET: of32Bytes }).JWT_SECRET).toBe(of32Bytes);
    expect(faultsOf({ ...MINIMAL, JWT_SECRET: SECRET.slice(1) })).toEqual({
      JWT_SECRET: 'must have 32 bytes or more',
    });
    expect(faultsOf({ ...MINIMAL, JWT_SECRET_PREVIOUS: SECRET.slice(1) })).toEqual({
      JWT_SECRET_PREVIOUS: 'must have 32 bytes or more',
    });
  });

  const weak = [EXAMPLE_SECRET, 'a'.repeat(64), '0123456'.repeat(5)];

  it.each(weak)('is refused in production if it is %s', (secret) => {
    for (const name of ['JWT_SECRET', 'JWT_SECRET_PREVIOUS']) {
      expect(faultsOf({ ...MINIMAL, NODE_ENV: 'production', [name]: secret })).toEqual({
        [name]: 'is known or guessable, and refused in production',
      });
    }
  });

  it.each(weak)('is accepted in development and test if it is %s', (secret) => {
    for (const NODE_ENV of [undefined, 'development', 'test']) {
      const config = loadConfig({ ...MINIMAL, NODE_ENV, JWT_SECRET: secret, JWT_SECRET_PREVIOUS: secret });
      expect(config).toMatchObject({ JWT_SECRET: secret, JWT_SECRET_PREVIOUS: secret });
    }
  });

  it.each(['supersecretkey', 'changeme'])('is refused everywhere if it is %s', (secret) => {
    for (const NODE_ENV of ['development', 'test', 'production']) {
      expect(Object.keys(faultsOf({ ...MINIMAL, NODE_ENV, JWT_SECRET: secret }))).toEqual(['JWT_SECRET']);
    }
  });

  it('is accepted in production if it is random', () => {
    expect(loadConfig({ ...MINIMAL, NODE_ENV: 'production' }).JWT_SECRET).toBe(SECRET);
  });
});

describe('ARGON2_MEMORY_KIB and ARGON2_TIME_COST', () => {
  const production = { ...MINIMAL, JWT_SECRET: SECRET, NODE_ENV: 'production' };

  it.each([
    ['47104', '1'],
    ['19456', '2'],
    ['12288', '3'],
    ['9216', '4'],
    ['7168', '5'],
    ['7168', '50'],
    ['65536', '2'],
  ])('are accepted in production as OWASP advises: %s KiB, %s passes', (memory, passes) => {
    const given = { ...production, ARGON2_MEMORY_KIB: memory, ARGON2_TIME_COST: passes };
    expect(loadConfig(given)).toMatchObject({
      ARGON2_MEMORY_KIB: Number(memory),
      ARGON2_TIME_COST: Number(passes),
    });
  });

  it.each([
    ['47103', '1', '47104'],
    ['19455', '2', '19456'],
    ['7167', '5', '7168'],
    ['7167', '50', '7168'],
  ])('are refused in production if they are weaker: %s KiB, %s passes', (memory, passes, floor) => {
    const weak = { ARGON2_MEMORY_KIB: memory, ARGON2_TIME_COST: passes };
    expect(faultsOf({ ...production, ...weak })).toEqual({
      ARGON2_MEMORY_KIB: `must be ${floor} or more in production, with ARGON2_TIME_COST=${passes}`,
    });
    expect(() => loadConfig({ ...MINIMAL, ...weak })).not.toThrow();
  });
});

describe('ARGON2_CONCURRENCY', () => {
  it('is one less than the processors or threads by default', () => {
    const at = (UV_THREADPOOL_SIZE: string) =>
      loadConfig({ ...MINIMAL, UV_THREADPOOL_SIZE }).ARGON2_CONCURRENCY;
    expect(at('2')).toBe(1);
    expect(at('1024')).toBe(Math.max(1, availableParallelism() - 1));
  });

  it('leaves one thread or more to files and DNS', () => {
    expect(loadConfig({ ...MINIMAL, ARGON2_CONCURRENCY: '3' }).ARGON2_CONCURRENCY).toBe(3);
    expect(
      loadConfig({ ...MINIMAL, ARGON2_CONCURRENCY: '8', UV_THREADPOOL_SIZE: '9' }).ARGON2_CONCURRENCY,
    ).toBe(8);
    for (const [ARGON2_CONCURRENCY, UV_THREADPOOL_SIZE] of [
      ['4', undefined],
      ['8', '8'],
    ] as const) {
      expect(faultsOf({ ...MINIMAL, ARGON2_CONCURRENCY, UV_THREADPOOL_SIZE })).toEqual({
        ARGON2_CONCURRENCY: `must be less than UV_THREADPOOL_SIZE, which is ${UV_THREADPOOL_SIZE ?? 4}`,
      });
    }
  });
});

describe('SMTP_URL', () => {
  const mail = { SMTP_URL: 'smtp://[::1]:1025', MAIL_FROM: 'entries@example.org' };

  it('needs a sender, and in production the address for links', () => {
    expect(faultsOf({ ...MINIMAL, SMTP_URL: mail.SMTP_URL })).toEqual({
      MAIL_FROM: 'is missing, but SMTP_URL is set',
    });
    expect(loadConfig({ ...MINIMAL, ...mail, PORT: '9000' })).toMatchObject({
      smtp: { host: '::1', port: 1025, secure: false, user: undefined },
      PUBLIC_URL: 'http://localhost:9000',
    });
    expect(faultsOf({ ...MINIMAL, ...mail, NODE_ENV: 'production' })).toEqual({
      PUBLIC_URL: 'is missing: links in mails would lead to localhost',
    });
  });

  it('is needed in production to require verified addresses', () => {
    expect(faultsOf({ ...MINIMAL, NODE_ENV: 'production', REQUIRE_VERIFIED_EMAIL: 'true' })).toEqual({
      REQUIRE_VERIFIED_EMAIL: 'needs SMTP_URL: without mail nobody can verify an address',
    });
  });

  it.each([
    ['SMTP_URL', 'http://mail.example', /^must be smtp:/],
    ['SMTP_URL', 'smtp://mail.example/folder', /^must be smtp:/],
    ['MAIL_FROM', 'Entries', /^must be an address/],
    ['MAIL_FROM', 'a@example.org, b@example.org', /^must be an address/],
    ['MAIL_FROM', 'a@example.org\r\nBcc: b@example.org', /^must be an address/],
    ['PUBLIC_URL', 'entries.example', /^must be a URL/],
    ['PUBLIC_URL', 'javascript:alert(1)', /^must be a URL/],
    ['PUBLIC_URL', 'https://entries.example/?a=b', /^must have no query/],
  ])('refuses %s %j', (name, value, reason) => {
    expect(faultsOf({ ...MINIMAL, ...mail, [name]: value })).toEqual({
      [name]: expect.stringMatching(reason),
    });
  });
});
