import { z } from 'zod';
import { text } from '../http/validation/text.schema.js';
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
    format: 'email',
    maxLength: EMAIL_MAX,
  });

const NAME_MAX = 100;

export const DisplayNameSchema = z
  .string()
  .trim()
  .pipe(text(1, NAME_MAX))
  .meta({ description: 'trimmed', minLength: 1, maxLength: NAME_MAX })
  .nullable();

export const TimezoneSchema = z
  .string()
  .max(64)
  .refine(isTimezone, 'must be an IANA time zone, such as Europe/Vienna')
  .meta({ description: 'IANA time zone', example: 'Europe/Vienna' });

function isTimezone(name: string): boolean {
  if (!/^[A-Za-z]/.test(name)) return false;
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return true;
  } catch {
    return false;
  }
}

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
  .meta({ id: 'User' });
export type UserBody = z.infer<typeof UserSchema>;

/** Each feature adds a property. */
export const UserExportSchema = z
  .looseObject({ exportedAt: z.iso.datetime(), user: UserSchema })
  .meta({ id: 'UserExport', description: 'and one list for each kind of user data' });

export const UserPatchSchema = z
  .strictObject({ displayName: DisplayNameSchema.exactOptional(), timezone: TimezoneSchema.exactOptional() })
  .meta({ id: 'UserPatch', description: 'omitted fields stay unchanged' });
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
