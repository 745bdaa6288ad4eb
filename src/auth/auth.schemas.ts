import * as z from 'zod';
import { text } from '../http/validation/text.schema.js';
import { DisplayNameSchema, EmailSchema, USER_EXAMPLE, UserSchema } from '../users/users.schemas.js';
import { isTheEmail } from './passwords/common-passwords.js';

/** Common passwords are refused later, by refuseCommonPassword. */
export const NewPasswordSchema = text(8, 128).meta({
  description: '8 to 128 characters; neither a common password nor the e-mail address',
  format: 'password',
  example: 'correct horse battery',
});

export const RegisterSchema = z
  .strictObject({
    email: EmailSchema,
    password: NewPasswordSchema,
    displayName: DisplayNameSchema.optional(),
  })
  .refine(({ email, password }) => !isTheEmail(password, email), {
    path: ['password'],
    message: 'must not be the e-mail address',
  })
  .meta({
    id: 'Register',
    description: 'a new account',
    example: { email: 'ada@example.org', password: 'correct horse battery', displayName: 'Ada' },
  });
export type Register = z.infer<typeof RegisterSchema>;

export const CurrentPasswordSchema = text(1, 128).meta({
  format: 'password',
  example: 'correct horse battery',
});

export const SecondFactorCodeSchema = z
  .string()
  .max(64)
  .transform((code) => code.replace(/[\s-]/g, '').toUpperCase())
  .pipe(z.string().regex(/^(\d{6}|[A-Z2-7]{24})$/, 'must be a code of six digits, or a recovery code'))
  .meta({
    description: 'code of the authenticator app, or a recovery code; blanks, hyphens and case are ignored',
    example: '492039',
    minLength: 6,
    maxLength: 64,
    pattern: '^[\\s-]*(?:(?:\\d[\\s-]*){6}|(?:[A-Za-z2-7][\\s-]*){24})$',
  });

export const LoginSchema = z
  .strictObject({
    email: EmailSchema,
    password: CurrentPasswordSchema,
    code: SecondFactorCodeSchema.optional(),
  })
  .meta({
    id: 'Login',
    description: 'e-mail address and password, and a code if the account has a second factor',
    example: { email: 'ada@example.org', password: 'correct horse battery' },
  });
export type Login = z.infer<typeof LoginSchema>;

const TOKEN_EXAMPLE = 'Rr8sFSy1WzPLu0Zb9yq0Jc3m1kQe5hN7tVxDgAoBiUw';

export const RefreshSchema = z.strictObject({ refreshToken: z.string().min(1).max(512) }).meta({
  id: 'Refresh',
  description: 'the newest refresh token',
  example: { refreshToken: TOKEN_EXAMPLE },
});
export type Refresh = z.infer<typeof RefreshSchema>;

const TokensSchema = z
  .object({
    accessToken: z.string().meta({ description: 'JWT for the Authorization header' }),
    tokenType: z.literal('Bearer'),
    expiresIn: z.int().meta({ description: 'lifetime of the access token in seconds' }),
    refreshToken: z.string().meta({ description: 'opaque; can be used once' }),
  })
  .meta({ id: 'Tokens' });

export const SignedInSchema = TokensSchema.extend({ user: UserSchema }).meta({
  id: 'SignedIn',
  description: 'the tokens of a session, and its user',
  example: {
    accessToken: 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIwMWE1In0.Zm9yIGV4YW1wbGU',
    tokenType: 'Bearer',
    expiresIn: 900,
    refreshToken: TOKEN_EXAMPLE,
    user: USER_EXAMPLE,
  },
});
export type SignedIn = z.infer<typeof SignedInSchema>;
