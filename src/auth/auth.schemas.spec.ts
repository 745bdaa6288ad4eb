import { describe, expect, it } from '@jest/globals';
import { LoginSchema, RefreshSchema, RegisterSchema } from './auth.schemas.js';

const ACCOUNT = { email: 'ada@example.org', password: 'correct horse' };

function faultsOf(
  schema: typeof RegisterSchema | typeof LoginSchema | typeof RefreshSchema,
  body: unknown,
): string[] {
  const parsed = schema.safeParse(body);
  return parsed.success
    ? []
    : parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
}

describe('the body of POST /auth/register', () => {
  it('accepts e-mail, password and an optional name', () => {
    expect(RegisterSchema.parse(ACCOUNT)).toEqual(ACCOUNT);
    expect(RegisterSchema.parse({ ...ACCOUNT, email: ' Ada@Example.ORG ', displayName: ' Ada ' })).toEqual({
      ...ACCOUNT,
      displayName: 'Ada',
    });
  });

  it.each(['9fk2q7wz', 'x'.repeat(128), '😀'.repeat(8), '😀'.repeat(128), '        '])(
    'takes a password of 8 to 128 characters as it is: %s',
    (password) => {
      expect(RegisterSchema.parse({ ...ACCOUNT, password }).password).toBe(password);
    },
  );

  it.each(['', '1234567', 'x'.repeat(129), '😀'.repeat(7), '😀'.repeat(129)])(
    'refuses the password %s',
    (password) => {
      expect(faultsOf(RegisterSchema, { ...ACCOUNT, password })).toEqual([
        'password: must have 8 to 128 characters',
      ]);
    },
  );

  it.each(['ada@example.org', 'ADA@example.org', ' ada@example.org '])(
    'refuses a password that is the e-mail: %j',
    (password) => {
      for (const email of ['ada@example.org', ' Ada@Example.org']) {
        expect(faultsOf(RegisterSchema, { email, password })).toEqual([
          'password: must not be the e-mail address',
        ]);
      }
    },
  );

  it('refuses the local part of the e-mail as a password', () => {
    const body = { email: 'ada.lovelace@example.org', password: 'Ada.Lovelace' };
    expect(faultsOf(RegisterSchema, body)).toEqual(['password: must not be the e-mail address']);
  });

  it.each([
    [null, 1],
    [[], 1],
    [{}, 2],
    [{ ...ACCOUNT, admin: true }, 1],
    [{ ...ACCOUNT, password: 12_345_678 }, 1],
    [{ ...ACCOUNT, password: 'correct\u0000horse' }, 1],
  ])('refuses %j', (body, faults) => {
    expect(faultsOf(RegisterSchema, body)).toHaveLength(faults);
  });
});

describe('the body of POST /auth/login', () => {
  it('accepts short passwords, because only the hash decides', () => {
    expect(LoginSchema.parse({ email: 'ADA@example.org', password: 'x' })).toEqual({
      email: 'ada@example.org',
      password: 'x',
    });
  });

  it.each(['', 'x'.repeat(129)])('refuses the password %s', (password) => {
    expect(faultsOf(LoginSchema, { ...ACCOUNT, password })).toHaveLength(1);
  });
});

describe('the body of POST /auth/refresh', () => {
  it.each([
    [{}],
    [{ refreshToken: '' }],
    [{ refreshToken: 'x'.repeat(513) }],
    [{ refreshToken: 'x', more: 1 }],
  ])('refuses %j', (body) => {
    expect(faultsOf(RefreshSchema, body)).toHaveLength(1);
  });
});
