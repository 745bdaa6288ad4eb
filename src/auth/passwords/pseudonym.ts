import { createHmac } from 'node:crypto';

/** A keyed hash of an e-mail address or an id: who can read Redis but lacks the secret cannot test addresses against it. */
export function pseudonymOf(text: string, secret: string): string {
  return createHmac('sha256', secret).update(text).digest('base64url').slice(0, 22);
}
