/**
 * @typedef {object} Measured one program in one case
 * @property {string} title
 * @property {string} program
 * @property {import('./measure.js').Round[]} rounds
 * @property {number} rssMiB after the last round
 *
 * @typedef {object} Boots of one program
 * @property {string} program
 * @property {number[]} milliseconds from the start of the process to the first 200 of /health
 * @property {number[]} rssMiB a second later
 */

/** @typedef {string[][]} Table its first row names the columns; all of them but the first two hold numbers */

/**
 * @param {[Measured, Measured][]} cases ours and the peer's
 * @returns {Table}
 */
export function loadTable(cases) {
  const head = [
    'request',
    'program',
    'req/s',
    '(rounds)',
    'p50 ms',
    'p99 ms',
    'CPU µs/req',
    'RSS MiB',
    'failed',
    'req/s to peer',
  ];
  const rows = cases.flatMap(([ours, peer]) => {
    const ratio = rateOf(ours) / rateOf(peer);
    return [row(ours, `${ratio.toFixed(2)} ×`), row(peer, '')];
  });
  return [head, ...rows];
}

/**
 * @param {Boots[]} boots
 * @returns {Table}
 */
export function bootTable(boots) {
  return [
    ['boot', 'program', 'ms to /health 200', '(boots)', 'idle RSS MiB'],
    ...boots.map(({ program, milliseconds, rssMiB }) => [
      'on a database that is up to date',
      program,
      whole(median(milliseconds)),
      range(milliseconds),
      whole(median(rssMiB)),
    ]),
  ];
}

/** @param {Table} table */
export function asText(table) {
  const widths = widthsOf(table);
  return table.map((cells) => align(cells, widths).join('  ').trimEnd()).join('\n');
}

/** @param {Table} table */
export function asMarkdown(table) {
  const widths = widthsOf(table);
  const rule = widths.map((width, column) => (column < 2 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`));
  const [head = [], ...rows] = table.map((cells) => align(cells, widths));
  return [head, rule, ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

/**
 * @param {Measured} measured
 * @param {string} ratio
 */
function row({ title, program, rounds, rssMiB }, ratio) {
  const cpu = median(rounds.map(({ cpuUs }) => cpuUs));
  return [
    title,
    program,
    whole(median(rounds.map(({ perSecond }) => perSecond))),
    range(rounds.map(({ perSecond }) => perSecond)),
    median(rounds.map(({ p50Ms }) => p50Ms)).toFixed(1),
    median(rounds.map(({ p99Ms }) => p99Ms)).toFixed(1),
    Number.isNaN(cpu) ? '–' : whole(cpu),
    whole(rssMiB),
    // A run in which any fails ends without a table.
    '0',
    ratio,
  ];
}

/** @param {Measured} measured */
function rateOf({ rounds }) {
  return median(rounds.map(({ perSecond }) => perSecond));
}

/** @param {number[]} values */
export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? NaN) + upper) / 2;
}

/** @param {number[]} values */
export function range(values) {
  return `${whole(Math.min(...values))}–${whole(Math.max(...values))}`;
}

/** @param {number} value */
export function whole(value) {
  return Math.round(value).toLocaleString('en-US');
}

/** @param {Table} table */
function widthsOf(table) {
  return (table[0] ?? []).map((_, column) => Math.max(...table.map((cells) => cells[column]?.length ?? 0)));
}

/**
 * @param {string[]} cells
 * @param {number[]} widths
 */
function align(cells, widths) {
  return cells.map((cell, column) =>
    column < 2 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
  );
}
