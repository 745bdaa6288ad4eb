import { parseArgs } from 'node:util';
import { join } from 'node:path';
import { ROOT } from '../scripts/environment.js';
import { ExplainedError } from '../scripts/explained-error.js';
import { CASE_NAMES } from './cases.js';

const BOOT = 'boot';

export const USAGE = `npm run bench -- [options]
  --seconds <n>      measured in each round, after a warm-up (5)
  --connections <n>  that ask at once (32)
  --rounds <n>       of each case, the two programs by turns (3)
  --only <case>      may be repeated: ${[BOOT, ...CASE_NAMES].join(', ')} (all)
  --markdown         prints the tables as Markdown
  --program <file>   another build of the service (dist/main.js)
  --node <flag>      for Node, may be repeated: --node=--optimize-for-size (none)
  --profile <dir>    keeps a CPU profile of the service there: see bench/profile.js
With BENCH_DATABASE_URL the database is made on that server instead of an embedded one, and dropped at the end.`;

/**
 * @typedef {object} Options
 * @property {number} seconds
 * @property {number} connections
 * @property {number} rounds
 * @property {boolean} boot whether boots are measured
 * @property {string[]} cases the names of those to run
 * @property {boolean} markdown
 * @property {string} program
 * @property {string[]} nodeOptions of the service
 * @property {string | undefined} profile
 */

/**
 * @param {string[]} args
 * @returns {Options | undefined} undefined when the usage was asked for
 * @throws {ExplainedError}
 */
export function readOptions(args) {
  const values = parse(args);
  if (values.help) return undefined;
  const { only } = values;
  const unknown = only?.find((name) => name !== BOOT && !CASE_NAMES.includes(name));
  if (unknown !== undefined) throw new ExplainedError(`there is no case ${unknown}\n${USAGE}`);
  return {
    seconds: positive('seconds', values.seconds),
    connections: positive('connections', values.connections),
    rounds: positive('rounds', values.rounds),
    boot: only?.includes(BOOT) ?? true,
    cases: CASE_NAMES.filter((name) => only?.includes(name) ?? true),
    markdown: values.markdown,
    program: values.program,
    nodeOptions: values.node,
    profile: values.profile,
  };
}

/** @param {string[]} args */
function parse(args) {
  try {
    return parseArgs({
      args,
      options: {
        seconds: { type: 'string', default: '5' },
        connections: { type: 'string', default: '32' },
        rounds: { type: 'string', default: '3' },
        only: { type: 'string', multiple: true },
        markdown: { type: 'boolean', default: false },
        program: { type: 'string', default: join(ROOT, 'dist', 'main.js') },
        node: { type: 'string', multiple: true, default: [] },
        profile: { type: 'string' },
        help: { type: 'boolean', default: false },
      },
    }).values;
  } catch (error) {
    throw new ExplainedError(`${/** @type {Error} */ (error).message}\n${USAGE}`);
  }
}

/**
 * @param {string} name
 * @param {string} value
 */
function positive(name, value) {
  const number = Number(value);
  if (Number.isInteger(number) && number >= 1 && number <= 1000) return number;
  throw new ExplainedError(`--${name} must be a whole number from 1 to 1000\n${USAGE}`);
}
