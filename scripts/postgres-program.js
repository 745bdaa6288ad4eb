import { spawn } from 'node:child_process';

/**
 * @typedef {object} Installation
 * @property {import('./postgres-binaries.js').PostgresBinaries} binaries
 * @property {string} version
 * @property {import('./postgres-user.js').User | undefined} user to run the server as
 */

/** @typedef {import('./data-directory.js').Places} Places */

/**
 * Runs a program of PostgreSQL to its end, as the right user, out of reach of the terminal's Ctrl-C.
 *
 * @param {Places} places
 * @param {Installation} installation
 * @param {string} program
 * @param {string[]} options
 * @returns {Promise<{ code: number | null, output: string }>}
 */
export function run({ home }, { user }, program, options) {
  // Without PGDATA, PGPORT and the like of the user, and in English.
  const foreign = Object.entries(process.env).filter(([name]) => !/^(PG|LC_|LANG)/.test(name));
  return new Promise((resolvePromise, reject) => {
    const child = spawn(program, options, {
      ...user,
      cwd: home,
      detached: true,
      env: { ...Object.fromEntries(foreign), LC_ALL: 'C' },
      stdio: ['ignore', 'pipe', 'pipe'],
      windowsHide: true,
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk));
    child.once('error', reject);
    // Not 'close': on Windows the server inherits the pipes and keeps them open.
    child.once('exit', (code) => setTimeout(() => resolvePromise({ code, output }), 10));
  });
}

/**
 * @param {string} output of a program of PostgreSQL
 * @returns {string} the line that says why
 */
export function reasonIn(output) {
  const lines = output
    .split('\n')
    .map((line) => line.trim())
    .filter(Boolean);
  const telling = lines.findLast((line) => /\b(FATAL|PANIC|error|ERROR):/.test(line)) ?? lines.at(-1) ?? '';
  return telling.replace(/^.*?\b(FATAL|PANIC|error|ERROR):\s+/, '');
}
