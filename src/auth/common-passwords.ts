import { dictionary } from '@zxcvbn-ts/language-common';

/** Shorter ones are refused for their length. */
const MIN_LENGTH = 8;

/** What anybody would try first at a mood journal of this name. */
const CONTEXT_WORDS = /^[\p{N}\p{P}\p{S}\s]*(?:(?:entries|journal|diary|mood)[\p{N}\p{P}\p{S}\s]*)+$/u;

/**
 * The 49,000 commonest passwords of published breaches, in the order of how common they are, as zxcvbn-ts keeps them
 * (https://github.com/zxcvbn-ts/zxcvbn, MIT; its source is Mark Burnett's ten million passwords). Those of 8 characters
 * or more among them are some 18,000.
 */
let common: ReadonlySet<string> | undefined;

/** Whether a password is among the first that a guesser tries, in whatever case and with whatever blanks around it. */
export function isCommonPassword(password: string): boolean {
  const plain = normalize(password);
  // Not at the start, which it would make 20 ms longer.
  common ??= new Set(
    dictionary['passwords-common'].filter((each) => each.length >= MIN_LENGTH).map(normalize),
  );
  return common.has(plain) || CONTEXT_WORDS.test(plain);
}

/** Whether a password is the account's e-mail address, or what is before its @. */
export function isTheEmail(password: string, email: string): boolean {
  const plain = normalize(password);
  return plain === email || plain === email.slice(0, email.lastIndexOf('@'));
}

function normalize(password: string): string {
  return password.normalize('NFKC').trim().toLowerCase();
}
