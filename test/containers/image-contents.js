import { existsSync, readFileSync, readdirSync } from 'node:fs';

/**
 * Run inside the image as root, with package-lock.json on the standard input: prints what does not belong there, a line
 * each, and exits 1 if there is any.
 */

/** @typedef {{ packages: Record<string, { dev?: boolean, devOptional?: boolean }> }} LockFile */

const APP = '/app';

/** @type {string[]} */
const faults = [];

for (const name of readdirSync(APP)) {
  if (!['LICENSES.txt', 'compile-cache', 'dist', 'node_modules', 'package.json'].includes(name))
    faults.push(`${APP}/${name} is not needed to run`);
}

for (const name of readdirSync(`${APP}/dist`, { recursive: true, encoding: 'utf8' })) {
  const path = `${APP}/dist/${name}`;
  if (/\.(spec|d)\.|\.ts$|tsbuildinfo/.test(name)) faults.push(`${path} is not needed to run`);
  // A map may name its source, for the stack traces, but not hold it.
  if (name.endsWith('.map') && /"sourcesContent":\s*\[\s*"/.test(readFileSync(path, 'utf8'))) {
    faults.push(`${path} holds the source`);
  }
}

/** @type {LockFile} */
const { packages } = JSON.parse(readFileSync(0, 'utf8'));
for (const [path, { dev, devOptional }] of Object.entries(packages)) {
  if ((dev || devOptional) && existsSync(`${APP}/${path}`))
    faults.push(`${APP}/${path} is a development dependency`);
}

for (const path of ['/root/.npm', '/home/node/.npm', '/usr/bin/gcc', '/usr/bin/make']) {
  if (existsSync(path)) faults.push(`${path} is there`);
}

if (!existsSync(`${APP}/dist/main.js`)) faults.push(`${APP}/dist/main.js is missing`);

for (const fault of faults) console.error(fault);
process.exitCode = faults.length === 0 ? 0 : 1;
