import * as z from 'zod';
import { NOT_BLANK, text } from '../http/validation/text.schema.js';
import { ROLES, type User } from './user.entity.js';

/** RFC 5321 §4.5.3.1.3: 256 octets with two brackets. */
const EMAIL_MAX = 254;

/** Trimmed and lower-case. ASCII only, which excludes look-alikes. */
export const EmailSchema = z
  .string()
  .max(EMAIL_MAX * 2)
  .trim()
  // Lower-cased last: that turns a Kelvin sign (U+212A) into an ASCII k.
  .pipe(z.email('must be an e-mail address').max(EMAIL_MAX).toLowerCase())
  .meta({
    description: 'trimmed and lower-cased',
    example: 'ada@example.org',
    pattern: z.regexes.email.source,
    maxLength: EMAIL_MAX,
  });

const NAME_MAX = 100;

export const DisplayNameSchema = z
  .string()
  .trim()
  .pipe(text(1, NAME_MAX))
  .meta({ description: 'trimmed', minLength: 1, maxLength: NAME_MAX, pattern: NOT_BLANK })
  .nullable();

export const TimezoneSchema = z
  .string()
  .max(64)
  .refine(isTimezone, 'must be an IANA time zone, such as Europe/Vienna')
  .meta({ description: 'IANA time zone', format: 'timezone', example: 'Europe/Vienna' });

function isTimezone(name: string): boolean {
  if (!/^[A-Za-z]/.test(name)) return false;
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return true;
  } catch {
    return false;
  }
}

export const USER_EXAMPLE = {
  id: '01a5c0de-5f6a-7b1c-8d2e-3f4a5b6c7d8e',
  email: 'ada@example.org',
  emailVerifiedAt: '2026-03-01T08:31:12.000Z',
  displayName: 'Ada',
  timezone: 'Europe/Vienna',
  role: 'user',
  createdAt: '2026-03-01T08:30:00.000Z',
  updatedAt: '2026-03-01T08:31:12.000Z',
};

export const UserSchema = z
  .object({
    id: z.uuid(),
    email: z.string(),
    emailVerifiedAt: z.iso
      .datetime()
      .nullable()
      .meta({ description: 'null until the link in a mail is used' }),
    displayName: z.string().nullable(),
    timezone: z.string(),
    role: z.enum(ROLES),
    createdAt: z.iso.datetime(),
    updatedAt: z.iso.datetime(),
  })
  .meta({ id: 'User', description: 'an account', example: USER_EXAMPLE });
export type UserBody = z.infer<typeof UserSchema>;

/** Each feature adds a property. */
export const UserExportSchema = z.looseObject({ exportedAt: z.iso.datetime(), user: UserSchema }).meta({
  id: 'UserExport',
  description: 'all data of a user: also one list for each kind, such as entries and sessions',
  example: { exportedAt: '2026-03-02T10:00:00.000Z', user: USER_EXAMPLE, entries: [], sessions: [] },
});

export const UserPatchSchema = z
  .strictObject({ displayName: DisplayNameSchema.exactOptional(), timezone: TimezoneSchema.exactOptional() })
  .meta({
    id: 'UserPatch',
    description: 'omitted fields stay unchanged',
    example: { displayName: 'Ada', timezone: 'Europe/Vienna' },
  });
export type UserPatch = z.infer<typeof UserPatchSchema>;

export function toUserBody(user: User): UserBody {
  return {
    id: user.id,
    email: user.email,
    emailVerifiedAt: user.emailVerifiedAt?.toISOString() ?? null,
    displayName: user.displayName,
    timezone: user.timezone,
    role: user.role,
    createdAt: user.createdAt.toISOString(),
    updatedAt: user.updatedAt.toISOString(),
  };
}
