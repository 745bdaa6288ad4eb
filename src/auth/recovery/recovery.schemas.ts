import { z } from 'zod';
import { EmailSchema } from '../../users/users.schemas.js';
import { CurrentPasswordSchema, NewPasswordSchema, SecondFactorCodeSchema } from '../auth.schemas.js';

export const ForgotPasswordSchema = z.strictObject({ email: EmailSchema }).meta({ id: 'ForgotPassword' });
export type ForgotPassword = z.infer<typeof ForgotPasswordSchema>;

export const TokenSchema = z.string().min(1).max(512).meta({
  description: 'from the link in the mail; works once',
  example: 'jNQXAC9IVRw6hUvVfA3wJ3c1xkz1W2c0yQpT0XbN4mA',
});

export const EmailVerificationSchema = z
  .strictObject({ token: TokenSchema })
  .meta({ id: 'EmailVerification' });
export type EmailVerification = z.infer<typeof EmailVerificationSchema>;

export const EmailChangeSchema = z
  .strictObject({
    newEmail: EmailSchema,
    password: CurrentPasswordSchema,
    code: SecondFactorCodeSchema.optional(),
  })
  .meta({ id: 'EmailChange' });
export type EmailChange = z.infer<typeof EmailChangeSchema>;

export const ResetPasswordSchema = z
  .strictObject({ token: TokenSchema, newPassword: NewPasswordSchema })
  .meta({ id: 'ResetPassword' });
export type ResetPassword = z.infer<typeof ResetPasswordSchema>;
