import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { ROOT } from '../scripts/environment.js';
import { asText } from './report.js';

/**
 * `node bench/profile.js <file.cpuprofile> [--skip <seconds>]`: where the processor time of a profile went, by package
 * and by function. What comes before `--skip` (the boot) is left out, and so is idle time.
 */

const ROWS = 25;
const NOT_WORK = new Set(['(idle)', '(root)']);

/**
 * The .cpuprofile of node --cpu-prof: https://chromedevtools.github.io/devtools-protocol/tot/Profiler/#type-Profile
 *
 * @typedef {object} Profile
 * @property {ProfileNode[]} nodes
 * @property {number[]} samples node ids
 * @property {number[]} timeDeltas µs since the sample before
 *
 * @typedef {object} ProfileNode
 * @property {number} id
 * @property {{ functionName: string, url: string, lineNumber: number }} callFrame its line counts from 0
 * @property {number[]} [children]
 */

const { values, positionals } = parseArgs({
  options: { skip: { type: 'string', default: '5' } },
  allowPositionals: true,
});
const [file] = positionals;
if (file === undefined) {
  console.error('node bench/profile.js <file.cpuprofile> [--skip <seconds>]');
  process.exit(1);
}
/** @type {Profile} */
const profile = JSON.parse(readFileSync(file, 'utf8'));
const nodes = new Map(profile.nodes.map((node) => [node.id, node]));
const parents = new Map(
  profile.nodes.flatMap((node) => (node.children ?? []).map((child) => [child, node.id])),
);
const selfUs = timeOfNodes(Number(values.skip) * 1_000_000);

/** @type {Map<string, number>} */
const byPackage = new Map();
/** @type {Map<string, number>} */
const selfOf = new Map();
/** With all that it calls. @type {Map<string, number>} */
const inclusive = new Map();
let busyUs = 0;

for (const [id, us] of selfUs) {
  const node = nodes.get(id);
  if (!node || NOT_WORK.has(node.callFrame.functionName)) continue;
  busyUs += us;
  add(byPackage, packageOf(node), us);
  add(selfOf, nameOf(node), us);
  // A function that calls itself counts once.
  for (const name of new Set(stackOf(id).map(nameOf))) add(inclusive, name, us);
}

console.log(`busy: ${(busyUs / 1_000_000).toFixed(2)} s\n`);
print('self, by package', byPackage);
print('self, by function', selfOf);
print('with what it calls, by function', inclusive);

/** @param {number} skipUs */
function timeOfNodes(skipUs) {
  /** @type {Map<number, number>} */
  const times = new Map();
  let clock = 0;
  for (const [index, id] of profile.samples.entries()) {
    const us = profile.timeDeltas[index] ?? 0;
    clock += us;
    if (clock >= skipUs) add(times, id, us);
  }
  return times;
}

/** @param {number} id */
function stackOf(id) {
  const stack = [];
  for (let at = /** @type {number | undefined} */ (id); at !== undefined; at = parents.get(at)) {
    const node = nodes.get(at);
    if (node && node.callFrame.url !== '') stack.push(node);
  }
  return stack;
}

/** @param {ProfileNode} node */
function packageOf({ callFrame: { url, functionName } }) {
  if (url === '') return functionName || '(native)';
  return (
    /^node:[^/]+(?:\/[^/]+)?/.exec(url)?.[0] ??
    /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(url)?.[1] ??
    pathOf(url)
  );
}

/** @param {ProfileNode} node */
function nameOf({ callFrame: { functionName, url, lineNumber } }) {
  const name = functionName || '(anonymous)';
  return url === '' ? name : `${name} ${pathOf(url)}:${lineNumber + 1}`;
}

/** @param {string} url */
function pathOf(url) {
  const path = url.startsWith('file:') ? fileURLToPath(url) : url;
  return path.startsWith(ROOT) ? path.slice(ROOT.length + 1) : path;
}

/**
 * @template K
 * @param {Map<K, number>} sums
 * @param {K} key
 * @param {number} amount
 */
function add(sums, key, amount) {
  sums.set(key, (sums.get(key) ?? 0) + amount);
}

/**
 * @param {string} title
 * @param {Map<string, number>} sums
 */
function print(title, sums) {
  const largest = [...sums].sort(([, a], [, b]) => b - a).slice(0, ROWS);
  const rows = largest.map(([name, us]) => [name, '', `${((us / busyUs) * 100).toFixed(1)} %`]);
  console.log(`${asText([[title, '', 'of busy'], ...rows])}\n`);
}
