import { createHmac } from 'node:crypto';

/** A keyed hash of an e-mail address: who can read Redis but lacks the secret cannot test addresses against it. */
export function pseudonymOf(email: string, secret: string): string {
  return createHmac('sha256', secret).update(email).digest('base64url').slice(0, 22);
}
