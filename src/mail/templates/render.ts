import type { MailContent } from './templates.js';

export interface RenderedMail {
  readonly subject: string;
  readonly text: string;
  readonly html: string;
}

const STYLE = 'font: 16px/1.5 sans-serif; max-width: 36em; margin: 2em auto; padding: 0 1em; color: #222';

/** The text and the HTML of a mail. No image, no tracking, no style sheet. */
export function render({ subject, paragraphs, link }: MailContent): RenderedMail {
  const [first = '', ...others] = paragraphs;
  const text = [first, ...(link ? [link.url] : []), ...others].join('\n\n');
  const button = link && `<a href="${escapeHtml(link.url)}">${escapeHtml(link.label)}</a>`;
  const html = [escapeHtml(first), ...(button ? [button] : []), ...others.map(escapeHtml)]
    .map((paragraph) => `<p>${paragraph}</p>`)
    .join('\n');
  return {
    subject,
    text: `${text}\n`,
    html: `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>${escapeHtml(subject)}</title></head>
<body style="${STYLE}">
${html}
</body></html>
`,
  };
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
