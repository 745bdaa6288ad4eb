import { unprocessableBody } from '../../http/validation/schema-validation.pipe.js';

/** Shorter ones are refused for their length. */
const MIN_LENGTH = 8;

/** What anybody would try first at a mood journal of this name. */
const CONTEXT_WORDS = /^[\p{N}\p{P}\p{S}\s]*(?:(?:entries|journal|diary|mood)[\p{N}\p{P}\p{S}\s]*)+$/u;

/** Read when the first password is checked: at the start, it would cost that 20 ms and 8 MB. */
let common: Promise<ReadonlySet<string>> | undefined;

/**
 * @param field of the body
 * @throws {UnprocessableEntityException} for a password that is guessed first
 */
export async function refuseCommonPassword(field: string, password: string): Promise<void> {
  if (!(await isCommonPassword(password))) return;
  throw unprocessableBody([{ path: field, message: 'must not be a common password' }]);
}

/** Whether a password is among the first that a guesser tries, in whatever case and with whatever blanks around it. */
export async function isCommonPassword(password: string): Promise<boolean> {
  const plain = normalize(password);
  common ??= readCommon();
  return (await common).has(plain) || CONTEXT_WORDS.test(plain);
}

async function readCommon(): Promise<ReadonlySet<string>> {
  const { COMMON_PASSWORDS } = await import('./common-password-list.js');
  return new Set(COMMON_PASSWORDS.filter((each) => each.length >= MIN_LENGTH).map(normalize));
}

/** Whether a password is the account's e-mail address, or what is before its @. */
export function isTheEmail(password: string, email: string): boolean {
  const plain = normalize(password);
  return plain === email || plain === email.slice(0, email.lastIndexOf('@'));
}

function normalize(password: string): string {
  return password.normalize('NFKC').trim().toLowerCase();
}
