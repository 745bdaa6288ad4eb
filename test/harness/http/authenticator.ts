import { URI, type TOTP } from 'otpauth';
import type { TestDatabase } from '../database/database.js';
import type { ApiClient } from './client.js';

export const SECOND_FACTOR = '/users/me/second-factor';

/** A code of an authenticator app. The current one stays valid when the next 30 s begin; one of a neighbour may not. */
export function codeOf(app: TOTP, stepsFromNow = 0): string {
  return app.generate({ timestamp: Date.now() + stepsFromNow * 30_000 });
}

export async function beginEnrolment(client: ApiClient): Promise<TOTP> {
  const { status, text, body } = await client.post(SECOND_FACTOR, { password: client.account.password });
  if (status !== 201) throw new Error(`cannot enrol: ${status} ${text}`);
  return URI.parse(body.uri as string) as TOTP;
}

export interface Enrolled {
  readonly ada: ApiClient;
  readonly app: TOTP;
  readonly recoveryCodes: readonly string[];
}

/** The current code can be used at once. */
export async function enrol(ada: ApiClient, database: TestDatabase): Promise<Enrolled> {
  const app = await beginEnrolment(ada);
  const { status, text, body } = await ada.post(`${SECOND_FACTOR}/confirm`, { code: codeOf(app) });
  if (status !== 200) throw new Error(`cannot confirm: ${status} ${text}`);
  await forgetLastCode(ada, database);
  return { ada, app, recoveryCodes: body.recoveryCodes };
}

/** As if the last code were long ago: tests do not wait for the next one. */
export async function forgetLastCode({ account }: ApiClient, database: TestDatabase): Promise<void> {
  const forget = 'UPDATE second_factors SET last_used_step = 1 WHERE user_id = $1';
  await database.query(forget, [account.userId]);
}
