import { unprocessableBody } from '../../http/validation/schema-validation.pipe.js';

/** Shorter passwords are refused anyway. */
const MIN_LENGTH = 8;

/** Passwords made of context words, such as the name of the app. */
const CONTEXT_WORDS = /^[\p{N}\p{P}\p{S}\s]*(?:(?:entries|journal|diary|mood)[\p{N}\p{P}\p{S}\s]*)+$/u;

/** Loaded at the first check; at start it would cost 20 ms and 8 MB. */
let common: Promise<ReadonlySet<string>> | undefined;

/**
 * @param field of the body, for the error
 * @throws {UnprocessableEntityException} for a common password
 */
export async function refuseCommonPassword(field: string, password: string): Promise<void> {
  if (!(await isCommonPassword(password))) return;
  throw unprocessableBody([{ path: field, message: 'must not be a common password' }]);
}

/** Ignores case and surrounding blanks. */
export async function isCommonPassword(password: string): Promise<boolean> {
  const plain = normalize(password);
  common ??= readCommon();
  return (await common).has(plain) || CONTEXT_WORDS.test(plain);
}

async function readCommon(): Promise<ReadonlySet<string>> {
  const { COMMON_PASSWORDS } = await import('./common-password-list.js');
  return new Set(COMMON_PASSWORDS.filter((each) => each.length >= MIN_LENGTH).map(normalize));
}

/**
 * @param field of the body, for the error
 * @throws {UnprocessableEntityException} for the e-mail address or its local part
 */
export function refuseTheEmail(field: string, password: string, email: string): void {
  if (!isTheEmail(password, email)) return;
  throw unprocessableBody([{ path: field, message: 'must not be the e-mail address' }]);
}

/** Whether a password is the e-mail address or its local part. */
export function isTheEmail(password: string, email: string): boolean {
  const plain = normalize(password);
  return plain === email || plain === email.slice(0, email.lastIndexOf('@'));
}

function normalize(password: string): string {
  return password.normalize('NFKC').trim().toLowerCase();
}
