import { dictionary } from '@zxcvbn-ts/language-common';

/**
 * The 49,000 most common passwords of published breaches, from zxcvbn-ts (https://github.com/zxcvbn-ts/zxcvbn, MIT;
 * source: Mark Burnett's ten million passwords). About 18,000 have 8 characters or more. A separate module, because it
 * takes 8 MB when loaded.
 */
export const COMMON_PASSWORDS: readonly string[] = dictionary['passwords-common'];
