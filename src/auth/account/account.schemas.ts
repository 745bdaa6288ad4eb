import { z } from 'zod';
import { CurrentPasswordSchema, NewPasswordSchema, SecondFactorCodeSchema } from '../auth.schemas.js';

export const PasswordChangeSchema = z
  .strictObject({
    currentPassword: CurrentPasswordSchema,
    newPassword: NewPasswordSchema,
    code: SecondFactorCodeSchema.optional(),
  })
  .refine(({ currentPassword, newPassword }) => currentPassword !== newPassword, {
    path: ['newPassword'],
    message: 'must not be the current password',
  })
  .meta({ id: 'PasswordChange' });
export type PasswordChange = z.infer<typeof PasswordChangeSchema>;

export const ErasureSchema = z
  .strictObject({ password: CurrentPasswordSchema, code: SecondFactorCodeSchema.optional() })
  .meta({ id: 'Erasure' });
export type Erasure = z.infer<typeof ErasureSchema>;
