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
  'password-changed': ({ time = '', ip = '' }) => ({
    subject: 'Your password was changed',
    paragraphs: [
      `The password of your journal was changed on ${time}, from the address ${ip}.`,
      'If it was you, there is nothing to do. If not, reset your password now: that ends every session.',
    ],
  }),
} satisfies Record<string, (data: MailData) => MailContent>;

export type TemplateName = keyof typeof TEMPLATES;

export function isTemplate(name: string): name is TemplateName {
  return Object.hasOwn(TEMPLATES, name);
}
