import { z } from 'zod';
import { text } from '../http/validation/text.schema.js';
import { DisplayNameSchema, EmailSchema, UserSchema } from '../users/users.schemas.js';
import { isTheEmail } from './passwords/common-passwords.js';

/** Common passwords are refused later, by refuseCommonPassword. */
export const NewPasswordSchema = text(8, 128).meta({
  description: '8 to 128 characters; neither a common password nor the e-mail address',
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
  .meta({ id: 'Register' });
export type Register = z.infer<typeof RegisterSchema>;

export const CurrentPasswordSchema = text(1, 128).meta({ example: 'correct horse battery' });

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
  });

export const LoginSchema = z
  .strictObject({
    email: EmailSchema,
    password: CurrentPasswordSchema,
    code: SecondFactorCodeSchema.optional(),
  })
  .meta({ id: 'Login' });
export type Login = z.infer<typeof LoginSchema>;

export const RefreshSchema = z
  .strictObject({ refreshToken: z.string().min(1).max(512) })
  .meta({ id: 'Refresh' });
export type Refresh = z.infer<typeof RefreshSchema>;

export const TokensSchema = z
  .object({
    accessToken: z.string().meta({ description: 'JWT for the Authorization header' }),
    tokenType: z.literal('Bearer'),
    expiresIn: z.int().meta({ description: 'lifetime of the access token in seconds' }),
    refreshToken: z.string().meta({ description: 'opaque; can be used once' }),
  })
  .meta({ id: 'Tokens' });
export type Tokens = z.infer<typeof TokensSchema>;

export const SignedInSchema = TokensSchema.extend({ user: UserSchema }).meta({ id: 'SignedIn' });
export type SignedIn = z.infer<typeof SignedInSchema>;
