/**
 * Text as a search compares it: without case, accents and the difference between kinds of white space. Applied to what
 * is stored and to what is asked for.
 *
 * Compatibility decomposition (Unicode NFKD) splits letters from their marks. Going through upper case makes `ß`, `ẞ`
 * and `ss` the same, and so `ı` and `i`. A Greek sigma has another form at the end of a word.
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
  /** Patterns for LIKE on `search_text`: every one must match. */
  readonly all: readonly string[];
  /** None of these may match. */
  readonly none: readonly string[];
}

/** A word, or a phrase in quotes; with a minus sign before it, one that must not occur. */
const TERM = /(-?)"([^"]*)"(?=\s|$)|(-?)(\S+)/g;

/** @param q what a person typed; any text is valid, and what has nothing to look for in it gives no terms */
export function parseSearch(q: string): SearchTerms {
  const all: string[] = [];
  const none: string[] = [];
  for (const [, phraseSign, phrase, wordSign = '', word = ''] of q.matchAll(TERM)) {
    // A quote that has no partner is a phrase that is not typed to its end.
    const folded = foldText(phrase ?? (word.replace(/^"+|"+$/g, '') || word)).trim();
    if (folded === '') continue;
    ((phraseSign ?? wordSign) === '-' ? none : all).push(`%${folded.replace(/[\\%_]/g, '\\$&')}%`);
  }
  return { all, none };
}
