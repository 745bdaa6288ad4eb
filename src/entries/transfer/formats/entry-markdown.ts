import type { Entry } from '../../entry-row.js';

/** @param date `2026-03-01` */
export function markdownDay(date: string): string {
  return `# ${date}\n`;
}

/**
 * A heading, tags as `#tag`, and the text as it is, even where it looks like Markdown.
 *
 * @param time `08:30`
 */
export function markdownEntry({ text, mood, category, tags }: Entry, time: string): string {
  const paragraphs = [`## ${time} · mood ${mood}/10 · ${category.replace(/\s+/g, ' ')}`];
  // Editors end a tag at a space.
  if (tags.length > 0) paragraphs.push(tags.map((tag) => `#${tag.replace(/\s+/g, '-')}`).join(' '));
  return `\n${[...paragraphs, text].join('\n\n')}${text.endsWith('\n') ? '' : '\n'}`;
}
