import { z } from 'zod';
import { text } from '../../http/validation/text.schema.js';
import { NewPasswordSchema } from '../auth.schemas.js';

const CurrentPasswordSchema = text(1, 128).meta({ example: 'correct horse battery' });

export const PasswordChangeSchema = z
  .strictObject({ currentPassword: CurrentPasswordSchema, newPassword: NewPasswordSchema })
  .refine(({ currentPassword, newPassword }) => currentPassword !== newPassword, {
    path: ['newPassword'],
    message: 'must not be the current password',
  })
  .meta({ id: 'PasswordChange' });
export type PasswordChange = z.infer<typeof PasswordChangeSchema>;

export const ErasureSchema = z.strictObject({ password: CurrentPasswordSchema }).meta({ id: 'Erasure' });
export type Erasure = z.infer<typeof ErasureSchema>;
