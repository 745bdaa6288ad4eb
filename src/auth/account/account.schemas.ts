import * as z from 'zod';
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
  .meta({
    id: 'PasswordChange',
    description: 'the current and the new password',
    example: { currentPassword: 'correct horse battery', newPassword: 'a newer horse battery' },
  });
export type PasswordChange = z.infer<typeof PasswordChangeSchema>;

export const ErasureSchema = z
  .strictObject({ password: CurrentPasswordSchema, code: SecondFactorCodeSchema.optional() })
  .meta({
    id: 'Erasure',
    description: 'confirms that the user is there',
    example: { password: 'correct horse battery' },
  });
export type Erasure = z.infer<typeof ErasureSchema>;
