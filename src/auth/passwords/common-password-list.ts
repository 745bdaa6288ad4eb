import { dictionary } from '@zxcvbn-ts/language-common';

/**
 * The 49,000 commonest passwords of published breaches, in the order of how common they are, as zxcvbn-ts keeps them
 * (https://github.com/zxcvbn-ts/zxcvbn, MIT; its source is Mark Burnett's ten million passwords). Those of 8 characters
 * or more among them are some 18,000. A module of its own, as it takes 8 MB once it is loaded.
 */
export const COMMON_PASSWORDS: readonly string[] = dictionary['passwords-common'];
