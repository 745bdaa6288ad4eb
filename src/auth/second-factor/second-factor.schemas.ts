import * as z from 'zod';
import { CurrentPasswordSchema, SecondFactorCodeSchema } from '../auth.schemas.js';
import type { StoredFactor } from './second-factor.repository.js';

export const SecondFactorSchema = z
  .object({
    enabled: z.boolean(),
    enabledAt: z.iso.datetime().nullable(),
    recoveryCodesRemaining: z.int(),
  })
  .meta({
    id: 'SecondFactor',
    description: 'whether sign-ins need a code',
    example: { enabled: true, enabledAt: '2026-03-01T09:00:00.000Z', recoveryCodesRemaining: 10 },
  });
export type SecondFactorBody = z.infer<typeof SecondFactorSchema>;

export const StartEnrolmentSchema = z.strictObject({ password: CurrentPasswordSchema }).meta({
  id: 'StartEnrolment',
  description: 'confirms that the user is there',
  example: { password: 'correct horse battery' },
});
export type StartEnrolment = z.infer<typeof StartEnrolmentSchema>;

export const EnrolmentSchema = z
  .object({
    secret: z.string().meta({ description: '160 bits in base32, to type into an authenticator app' }),
    uri: z.string().meta({ description: 'otpauth URI' }),
    qrSvg: z.string().meta({ description: 'the URI as a QR code, an SVG image' }),
  })
  .meta({
    id: 'Enrolment',
    description: 'a secret for an authenticator app, in three forms',
    example: {
      secret: 'JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP',
      uri: 'otpauth://totp/entries:ada%40example.org?secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP&issuer=entries',
      qrSvg: '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 45 45"></svg>',
    },
  });
export type Enrolment = z.infer<typeof EnrolmentSchema>;

export const ConfirmEnrolmentSchema = z
  .strictObject({
    code: z
      .string()
      .max(64)
      .transform((code) => code.replace(/\s/g, ''))
      .pipe(z.string().regex(/^\d{6}$/, 'must be a code of six digits'))
      .meta({
        description: 'code of the authenticator app',
        example: '492039',
        minLength: 6,
        maxLength: 64,
        pattern: '^\\s*(?:\\d\\s*){6}$',
      }),
  })
  .meta({ id: 'ConfirmEnrolment', description: 'the first code of the app', example: { code: '492039' } });
export type ConfirmEnrolment = z.infer<typeof ConfirmEnrolmentSchema>;

export const PasswordAndCodeSchema = z
  .strictObject({ password: CurrentPasswordSchema, code: SecondFactorCodeSchema })
  .meta({
    id: 'PasswordAndCode',
    description: 'confirms that the user is there',
    example: { password: 'correct horse battery', code: '492039' },
  });
export type PasswordAndCode = z.infer<typeof PasswordAndCodeSchema>;

export const RecoveryCodesSchema = z
  .object({
    recoveryCodes: z
      .array(z.string())
      .meta({ description: 'ten codes, each for one use instead of a code of the app; never shown again' }),
  })
  .meta({
    id: 'RecoveryCodes',
    description: 'codes for a user without the app',
    example: { recoveryCodes: ['ABCD-EFGH-JKLM-NPQR-STUV-WXYZ'] },
  });
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
