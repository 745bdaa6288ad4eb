import { z } from 'zod';
import { CurrentPasswordSchema, SecondFactorCodeSchema } from '../auth.schemas.js';
import type { StoredFactor } from './second-factor.repository.js';

export const SecondFactorSchema = z
  .object({
    enabled: z.boolean(),
    enabledAt: z.iso.datetime().nullable(),
    recoveryCodesRemaining: z.int(),
  })
  .meta({ id: 'SecondFactor' });
export type SecondFactorBody = z.infer<typeof SecondFactorSchema>;

export const StartEnrolmentSchema = z
  .strictObject({ password: CurrentPasswordSchema })
  .meta({ id: 'StartEnrolment' });
export type StartEnrolment = z.infer<typeof StartEnrolmentSchema>;

export const EnrolmentSchema = z
  .object({
    secret: z.string().meta({ description: '160 bits in base32, to type into an authenticator app' }),
    uri: z.string().meta({ description: 'otpauth URI' }),
    qrSvg: z.string().meta({ description: 'the URI as a QR code, an SVG image' }),
  })
  .meta({ id: 'Enrolment' });
export type Enrolment = z.infer<typeof EnrolmentSchema>;

export const ConfirmEnrolmentSchema = z
  .strictObject({
    code: z
      .string()
      .max(64)
      .transform((code) => code.replace(/\s/g, ''))
      .pipe(z.string().regex(/^\d{6}$/, 'must be a code of six digits'))
      .meta({ description: 'code of the authenticator app', example: '492039', minLength: 6, maxLength: 64 }),
  })
  .meta({ id: 'ConfirmEnrolment' });
export type ConfirmEnrolment = z.infer<typeof ConfirmEnrolmentSchema>;

export const PasswordAndCodeSchema = z
  .strictObject({ password: CurrentPasswordSchema, code: SecondFactorCodeSchema })
  .meta({ id: 'PasswordAndCode' });
export type PasswordAndCode = z.infer<typeof PasswordAndCodeSchema>;

export const RecoveryCodesSchema = z
  .object({
    recoveryCodes: z
      .array(z.string())
      .meta({ description: 'ten codes, each for one use instead of a code of the app; never shown again' }),
  })
  .meta({ id: 'RecoveryCodes' });
export type RecoveryCodes = z.infer<typeof RecoveryCodesSchema>;

/** A pending enrolment is not a second factor. */
export function toSecondFactorBody(factor: StoredFactor | undefined): SecondFactorBody {
  const enabledAt = factor?.enabledAt?.toISOString() ?? null;
  return {
    enabled: enabledAt !== null,
    enabledAt,
    recoveryCodesRemaining: factor?.recoveryCodesRemaining ?? 0,
  };
}
