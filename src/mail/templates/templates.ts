/** What a mail says; `render.ts` turns it into text and HTML. */
export interface MailContent {
  readonly subject: string;
  readonly paragraphs: readonly string[];
  /** Shown after the first paragraph. */
  readonly link?: { readonly label: string; readonly url: string };
}

/** Values that a text needs, such as `link` or `time`. All of them are escaped. */
export type MailData = Readonly<Record<string, string>>;

/** Every mail that the service sends. Plain English; no markup. */
export const TEMPLATES = {
  'reset-password': ({ link = '' }) => ({
    subject: 'Reset your password',
    paragraphs: [
      'You asked to reset the password of your journal. Open this link within one hour to choose a new one:',
      'The link works once. If you did not ask for it, ignore this mail: your password stays as it is.',
    ],
    link: { label: 'Choose a new password', url: link },
  }),
  'new-sign-in': ({ time = '', ip = '', userAgent = '' }) => ({
    subject: 'New sign-in to your journal',
    paragraphs: [
      `Somebody signed in to your journal on ${time}, from the address ${ip}, with a program that you have not used before${userAgent && `: ${userAgent}`}`,
      'If it was you, there is nothing to do. If not, reset your password now: that ends every session.',
    ],
  }),
  'verify-email': ({ link = '' }) => ({
    subject: 'Verify your e-mail address',
    paragraphs: [
      'Welcome to your journal. Open this link within 24 hours to verify your e-mail address:',
      'If you did not register, ignore this mail.',
    ],
    link: { label: 'Verify the address', url: link },
  }),
  'change-email': ({ link = '' }) => ({
    subject: 'Confirm your new e-mail address',
    paragraphs: [
      'You asked to use this address for your journal. Open this link within 24 hours to make the change:',
      'If you did not ask for it, ignore this mail: nothing changes.',
    ],
    link: { label: 'Use this address', url: link },
  }),
  'email-change-requested': ({ newEmail = '', ip = '' }) => ({
    subject: 'A change of your e-mail address was requested',
    paragraphs: [
      `Someone asked, from the address ${ip}, to change the e-mail address of your journal to ${newEmail}. It changes when the link that was sent there is opened.`,
      'If it was not you, change your password now: that makes the link void, and ends all other sessions.',
    ],
  }),
  'email-changed': ({ newEmail = '' }) => ({
    subject: 'Your e-mail address was changed',
    paragraphs: [
      `The e-mail address of your journal is now ${newEmail}. You can no longer sign in with the old one.`,
      'If it was not you, contact the operator of the service.',
    ],
  }),
  'password-changed': ({ time = '', ip = '' }) => ({
    subject: 'Your password was changed',
    paragraphs: [
      `The password of your journal was changed on ${time}, from the address ${ip}.`,
      'If it was you, there is nothing to do. If not, reset your password now: that ends every session.',
    ],
  }),
  'password-removed': () => ({
    subject: 'Your password was removed',
    paragraphs: [
      'An administrator removed the password of your journal, and ended all sessions. To sign in again, open the link that the administrator gives you, or ask for one by mail.',
      'If you did not ask for it, contact the operator of the service.',
    ],
  }),
  'second-factor-enabled': ({ time = '', ip = '' }) => ({
    subject: 'Your second factor was enabled',
    paragraphs: [
      `An authenticator app was added to your journal on ${time}, from the address ${ip}. To sign in you need its code from now on.`,
      'Keep the recovery codes: each signs you in once without the app. If it was not you, somebody knows your password: tell the administrator.',
    ],
  }),
  'second-factor-disabled': ({ time = '', ip = '' }) => ({
    subject: 'Your second factor was disabled',
    paragraphs: [
      `The authenticator app of your journal was removed on ${time}, from the address ${ip}. The password alone signs in again.`,
      'If it was you, there is nothing to do. If not, change your password now, and end all sessions.',
    ],
  }),
  'second-factor-removed': () => ({
    subject: 'Your second factor was removed',
    paragraphs: [
      'An administrator removed the authenticator app of your journal. The password alone signs in again.',
      'If you asked for it, enrol an app again when you can. If not, change your password now, and end all sessions.',
    ],
  }),
  'recovery-code-used': ({ time = '', ip = '' }) => ({
    subject: 'A recovery code was used',
    paragraphs: [
      `A recovery code of your journal was used on ${time}, from the address ${ip}. It does not work again.`,
      'If it was you, there is nothing to do. If not, change your password now, and replace the recovery codes.',
    ],
  }),
} satisfies Record<string, (data: MailData) => MailContent>;

export type TemplateName = keyof typeof TEMPLATES;

export function isTemplate(name: string): name is TemplateName {
  return Object.hasOwn(TEMPLATES, name);
}
