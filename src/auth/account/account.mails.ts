import type { Client } from '../../http/client.js';
import type { NewMail } from '../../mail/mail.service.js';
import type { User } from '../../users/user.entity.js';

/** The notice after every change of a password. */
export function passwordChangedMail({ id, email }: User, ip: string): NewMail {
  return { template: 'password-changed', to: email, userId: id, data: { time: nowInWords(), ip } };
}

/** The notice after an operator has made the password void. */
export function passwordRemovedMail({ id, email }: User): NewMail {
  return { template: 'password-removed', to: email, userId: id };
}

/**
 * The notice after a sign-in from an unknown network with an unknown user agent. Only a verified address gets the user agent:
 * otherwise anyone could register with the address of a stranger and send a text to it.
 */
export function newSignInMail({ id, email, emailVerifiedAt }: User, { ip, userAgent }: Client): NewMail {
  const data = {
    time: nowInWords(),
    ip,
    ...(emailVerifiedAt && { userAgent: (userAgent ?? '').slice(0, 200) }),
  };
  return { template: 'new-sign-in', to: email, userId: id, data };
}

/** The notice after a change of the second factor, or the use of a recovery code. */
export function secondFactorMail(
  template: 'second-factor-enabled' | 'second-factor-disabled' | 'recovery-code-used',
  { id, email }: Pick<User, 'id' | 'email'>,
  ip: string,
): NewMail {
  return { template, to: email, userId: id, data: { time: nowInWords(), ip } };
}

function nowInWords(): string {
  const format = new Intl.DateTimeFormat('en-GB', { dateStyle: 'long', timeStyle: 'short', timeZone: 'UTC' });
  return `${format.format(new Date())} UTC`;
}
