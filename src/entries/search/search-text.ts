/**
 * Folds case, accents and white space. Applied to stored text and to search terms.
 *
 * Compatibility decomposition (Unicode NFKD) splits letters from their marks. Upper case makes `ß`, `ẞ` and `ss` equal,
 * and `ı` and `i`. A Greek sigma has another form at the end of a word.
 */
export function foldText(text: string): string {
  return text
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .toLowerCase()
    .toUpperCase()
    .toLowerCase()
    .replaceAll('ς', 'σ')
    .replace(/\s+/g, ' ');
}

export interface SearchTerms {
  /** LIKE patterns for `search_text`: all must match. */
  readonly all: readonly string[];
  readonly none: readonly string[];
}

/** A word or a quoted phrase; a minus sign excludes it. */
const TERM = /(-?)"([^"]*)"(?=\s|$)|(-?)(\S+)/g;

/** @param q any text is valid; without a letter or sign to search for it gives no terms */
export function parseSearch(q: string): SearchTerms {
  const all: string[] = [];
  const none: string[] = [];
  for (const [, phraseSign, phrase, wordSign = '', word = ''] of q.matchAll(TERM)) {
    // A quote without a partner is an unfinished phrase.
    const folded = foldText(phrase ?? (word.replace(/^"+|"+$/g, '') || word)).trim();
    if (folded === '') continue;
    ((phraseSign ?? wordSign) === '-' ? none : all).push(`%${folded.replace(/[\\%_]/g, '\\$&')}%`);
  }
  return { all, none };
}
