import * as z from 'zod';
import { EmailSchema } from '../../users/users.schemas.js';
import { CurrentPasswordSchema, NewPasswordSchema, SecondFactorCodeSchema } from '../auth.schemas.js';

export const ForgotPasswordSchema = z.strictObject({ email: EmailSchema }).meta({
  id: 'ForgotPassword',
  description: 'the address of the account',
  example: { email: 'ada@example.org' },
});
export type ForgotPassword = z.infer<typeof ForgotPasswordSchema>;

const TOKEN_EXAMPLE = 'jNQXAC9IVRw6hUvVfA3wJ3c1xkz1W2c0yQpT0XbN4mA';

const TokenSchema = z.string().min(1).max(512).meta({
  description: 'from the link in the mail; works once',
  example: TOKEN_EXAMPLE,
});

export const EmailVerificationSchema = z.strictObject({ token: TokenSchema }).meta({
  id: 'EmailVerification',
  description: 'the token of a link',
  example: { token: TOKEN_EXAMPLE },
});
export type EmailVerification = z.infer<typeof EmailVerificationSchema>;

export const EmailChangeSchema = z
  .strictObject({
    newEmail: EmailSchema,
    password: CurrentPasswordSchema,
    code: SecondFactorCodeSchema.optional(),
  })
  .meta({
    id: 'EmailChange',
    description: 'the new address, and the password',
    example: { newEmail: 'ada@example.net', password: 'correct horse battery' },
  });
export type EmailChange = z.infer<typeof EmailChangeSchema>;

export const ResetPasswordSchema = z
  .strictObject({ token: TokenSchema, newPassword: NewPasswordSchema })
  .meta({
    id: 'ResetPassword',
    description: 'the token of a link, and a new password',
    example: { token: TOKEN_EXAMPLE, newPassword: 'a newer horse battery' },
  });
export type ResetPassword = z.infer<typeof ResetPasswordSchema>;
