import { describe, expect, it } from '@jest/globals';
import { User } from './user.entity.js';
import {
  DisplayNameSchema,
  EmailSchema,
  TimezoneSchema,
  toUserBody,
  UserPatchSchema,
  UserSchema,
} from './users.schemas.js';

describe('an e-mail address', () => {
  it.each([
    ['ada@example.org', 'ada@example.org'],
    ['  Ada@Example.ORG\n', 'ada@example.org'],
    ["ada.o'neil+journal@mail.example.co.uk", "ada.o'neil+journal@mail.example.co.uk"],
    ['ada@xn--mller-kva.example', 'ada@xn--mller-kva.example'],
    [`${'a'.repeat(242)}@example.org`, `${'a'.repeat(242)}@example.org`],
  ])('%j becomes %j', (given, kept) => {
    expect(EmailSchema.parse(given)).toBe(kept);
  });

  it.each([
    '',
    'ada',
    '@example.org',
    'ada@',
    'ada@localhost',
    'ada@@example.org',
    'a da@example.org',
    'ada..b@example.org',
    '.ada@example.org',
    'ada@example.org, bob@example.org',
    'ada@example.org\nbcc: bob@example.org',
    'Ada <ada@example.org>',
    'ada@[127.0.0.1]',
    'ädä@example.org',
    'ada@müller.example',
    'ada\u0000@example.org',
    'ada@example.org\u200b',
  ])('%j is refused', (given) => {
    const { error } = EmailSchema.safeParse(given);
    expect(error?.issues.map(({ message }) => message)).toEqual(['must be an e-mail address']);
  });

  it('is refused with a Kelvin sign, which lower-casing would turn into a k', () => {
    expect('\u212A'.toLowerCase()).toBe('k');
    expect(EmailSchema.safeParse('\u212Aim@example.org').success).toBe(false);
  });

  it.each([`${'a'.repeat(243)}@example.org`, 'x'.repeat(1_000_000)])(
    'is refused past 254 characters',
    (given) => {
      expect(EmailSchema.safeParse(given).success).toBe(false);
    },
  );

  it.each([null, undefined, 7, {}, ['ada@example.org']])('%j is refused', (given) => {
    expect(EmailSchema.safeParse(given).success).toBe(false);
  });
});

describe('a display name', () => {
  it.each([
    ['Ada', 'Ada'],
    ['  Ada Lovelace ', 'Ada Lovelace'],
    ['😀'.repeat(100), '😀'.repeat(100)],
    [null, null],
  ])('%j becomes %j', (given, kept) => {
    expect(DisplayNameSchema.parse(given)).toBe(kept);
  });

  it.each(['', '   ', 'x'.repeat(101), '😀'.repeat(101), 'A\u0000da', 'Ada\ud83d'])(
    '%j is refused',
    (given) => {
      expect(DisplayNameSchema.safeParse(given).success).toBe(false);
    },
  );
});

describe('a time zone', () => {
  it.each(['UTC', 'Europe/Vienna', 'America/Argentina/Buenos_Aires', 'Etc/GMT+12', 'Asia/Kolkata'])(
    '%s is taken',
    (name) => {
      expect(TimezoneSchema.parse(name)).toBe(name);
    },
  );

  it.each([
    '',
    'Mars/Phobos',
    'Europe',
    'Europe/Vienna ',
    '+02:00',
    '-05',
    'GMT+1',
    "UTC'; --",
    'x'.repeat(65),
  ])('%j is refused', (name) => {
    expect(TimezoneSchema.safeParse(name).success).toBe(false);
  });
});

describe('the body of PATCH /users/me', () => {
  it('changes the named fields', () => {
    expect(UserPatchSchema.parse({})).toEqual({});
    expect(UserPatchSchema.parse({ displayName: null })).toEqual({ displayName: null });
    expect(UserPatchSchema.parse({ timezone: 'Asia/Tokyo' })).toEqual({ timezone: 'Asia/Tokyo' });
  });

  it.each(['email', 'passwordHash', 'id', 'createdAt'])('refuses %s', (name) => {
    const { error } = UserPatchSchema.safeParse({ [name]: 'x' });
    expect(error?.issues).toMatchObject([{ code: 'unrecognized_keys', keys: [name] }]);
  });

  it('refuses null as a time zone', () => {
    expect(UserPatchSchema.safeParse({ timezone: null }).success).toBe(false);
  });
});

describe('toUserBody', () => {
  it('has the fields of the schema, and never the password hash', () => {
    const user = Object.assign(new User(), {
      id: '0195503c-7d7e-7b6c-9a4e-0f2f6d1c2b3a',
      email: 'ada@example.org',
      emailVerifiedAt: new Date('2026-03-02T08:30:00Z'),
      role: 'user',
      passwordHash: '$argon2id$…',
      displayName: null,
      timezone: 'UTC',
      createdAt: new Date('2026-03-01T08:30:00Z'),
      updatedAt: new Date('2026-03-01T08:30:00.5Z'),
    });
    const body = toUserBody(user);
    expect(body).toEqual({
      id: '0195503c-7d7e-7b6c-9a4e-0f2f6d1c2b3a',
      email: 'ada@example.org',
      emailVerifiedAt: '2026-03-02T08:30:00.000Z',
      displayName: null,
      timezone: 'UTC',
      role: 'user',
      createdAt: '2026-03-01T08:30:00.000Z',
      updatedAt: '2026-03-01T08:30:00.500Z',
    });
    expect(UserSchema.strict().parse(body)).toEqual(body);
  });
});
