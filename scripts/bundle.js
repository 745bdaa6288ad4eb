import { cpSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { builtinModules, createRequire } from 'node:module';
import { dirname, join, relative, resolve } from 'node:path';
import { build, transform } from 'esbuild';
import { ROOT } from './environment.js';

/**
 * Makes of the build (`dist`) all that the image needs: the same programs under the same paths, with their dependencies
 * in a few files beside them. Started from a bundle, the service loads 20 files instead of 1 500.
 *
 *   node scripts/bundle.js [folder of the build: dist] [folder to write: bundle]
 *
 * What is found by its file, at run time or by an operator, keeps its path: the programs, the migrations, the entities.
 */
const source = resolve(process.argv[2] ?? join(ROOT, 'dist'));
const target = resolve(process.argv[3] ?? join(ROOT, 'bundle'));
const targetDist = join(target, 'dist');

const PROGRAMS = ['main.js', 'cli.js', 'database/migrate.js'];
const FOUND_BY_FILE = /\.entity\.js$|^database\/migrations\/\d{13}-\w+\.js$/;

/** What cannot be bundled, and the files of it that are needed. */
const COPIED = [
  // A native binary; which one is there depends on the platform.
  { name: '@node-rs/argon2', files: ['index.js'] },
  ...argon2Binaries().map((name) => ({ name, files: /\.node$/ })),
  // Sent to browsers.
  {
    name: 'swagger-ui-dist',
    files: ['swagger-ui.css', 'swagger-ui-bundle.js', 'favicon-32x32.png', 'LICENSE', 'NOTICE'],
  },
];

/** Nest and pg ask for them at run time where an application uses them, and this one does not. */
const NOT_INSTALLED = [
  '@fastify/multipart',
  '@fastify/static',
  '@fastify/view',
  '@nestjs/microservices',
  '@nestjs/microservices/*',
  '@nestjs/platform-express',
  '@nestjs/websockets/*',
  'class-transformer',
  'class-validator',
  'pg-native',
];

/** TypeORM's drivers of other databases, all of which it loads at its start. */
const OTHER_DRIVERS =
  /node_modules\/typeorm\/driver\/(aurora-mysql|aurora-postgres|better-sqlite3|capacitor|cockroachdb|cordova|expo|mongodb|mysql|nativescript|oracle|react-native|sap|spanner|sqlite-abstract|sqljs|sqlserver)\/.*\.js$/;

/** Stores of rate-limiter-flexible, all of which it loads at its start. */
const OTHER_COUNTERS =
  /node_modules\/rate-limiter-flexible\/lib\/(RateLimiter|BurstyRateLimiter|RLWrapper)?(Cluster|Drizzle|DrizzleNonAtomic|Dynamo|Etcd|EtcdNonAtomic|Memcache|Mongo|MySQL|Postgres|Prisma|Queue|SQLite|Valkey|ValkeyGlide|BlackAndWhite|Union)\.js$/;

/**
 * Loaded for what this service does not do: injected requests (Fastify), a document in YAML (Nest), statements set out in
 * lines (TypeORM's log), exemplars (prom-client).
 */
const NOT_CALLED =
  /^(light-my-request|js-yaml|@sqltools\/formatter.*|@opentelemetry\/api|thread-stream|pino-abstract-transport)$/;

/** As much, and with it modules of Node's own: pushes and a cluster's metrics. */
const NOT_CALLED_FILES = /node_modules\/prom-client\/lib\/(pushgateway|cluster)\.js$/;

/** Modules of Redis Stack, which cache-manager-redis-yet loads and does not use. */
const REDIS_STACK = /^@redis\/(bloom|graph|json|search|time-series)$/;

/** Of the one object `z`, esbuild would have to keep everything: messages in fifty languages above all. */
const ZOD_BY_PARTS = "import * as z from 'zod';";

/** A source map that maps nothing: frames in dependencies name the bundle's own lines. */
const NO_MAP = `\n//# sourceMappingURL=data:application/json;base64,${Buffer.from(
  JSON.stringify({ version: 3, sources: [''], mappings: 'AAAA' }),
).toString('base64')}`;

/** @type {Readonly<Record<string, string>>} of packages whose package.json says nothing */
const LICENCES_BY_README = { pause: 'MIT' };

/** Stands in each file for the way from its folder to that of the programs. */
const WAY_UP = '<way up>';

/** @type {import('esbuild').Plugin} */
const plugin = {
  name: 'entries',
  setup({ onLoad, onResolve, resolve: find }) {
    const nothing = { namespace: 'nothing' };
    onLoad({ filter: /^/, ...nothing }, () => ({ contents: 'module.exports = {};' }));

    onLoad({ filter: /\.js$/ }, async ({ path }) => {
      if (!path.startsWith(`${source}/`)) return undefined;
      // A bundled module lies in another folder than before.
      const folder = JSON.stringify(relative(source, dirname(path)));
      const code = readFileSync(path, 'utf8')
        .replaceAll('import.meta.dirname', `bundledJoin(bundledPrograms, ${folder})`)
        .replace("import { z } from 'zod';", ZOD_BY_PARTS);
      const map = readFileSync(`${path}.map`).toString('base64');
      const mapped = code.replace(/(?<=\n\/\/# sourceMappingURL=).*/, `data:application/json;base64,${map}`);
      return { contents: await keepNames(mapped, 'inline'), resolveDir: dirname(path) };
    });
    onLoad({ filter: NOT_CALLED_FILES }, () => ({ contents: 'module.exports = {};' }));
    onLoad({ filter: /node_modules\/@nestjs\/.*\.js$/ }, async ({ path }) => ({
      contents: (await keepNames(readFileSync(path, 'utf8'), false)) + NO_MAP,
    }));

    onLoad({ filter: OTHER_DRIVERS }, () => ({ contents: 'module.exports = {};' }));
    // Of its ES modules esbuild takes the third that Nest uses; of the CommonJS ones that Node would get, everything.
    onResolve({ filter: /^rxjs(\/operators)?$/ }, ({ path }) => ({
      path: join(ROOT, 'node_modules/rxjs/dist/esm', path.slice('rxjs'.length), 'index.js'),
      sideEffects: false,
    }));
    // Fastify would load them for schemas of its own: 450 kB of code.
    onResolve({ filter: /^@fastify\/(ajv|fast-json-stringify)-compiler$/ }, ({ path }) => ({
      path,
      ...nothing,
    }));
    onLoad({ filter: OTHER_COUNTERS }, () => ({ contents: 'module.exports = {};' }));
    // Fastify loads them in case it is asked for such a server.
    onResolve({ filter: /^node:(http2|https)$/ }, ({ path, importer }) =>
      /node_modules\/fastify\//.test(importer) ? { path, ...nothing } : undefined,
    );
    // Pino asks whether it is in a worker.
    onResolve({ filter: /^(node:)?worker_threads$/ }, () => ({
      path: 'worker_threads',
      namespace: 'main thread',
    }));
    onLoad({ filter: /^/, namespace: 'main thread' }, () => ({
      contents: 'module.exports = { isMainThread: true };',
    }));
    // Its 1,200 methods are added to prototypes one by one, for each of which V8 copies those before: 20 MB and 30 ms.
    // Not once the prototype is a dictionary, as it is after a deletion.
    onLoad({ filter: /@redis\/client\/dist\/lib\/commander\.js$/ }, ({ path }) => {
      const head = 'function attachCommands({ BaseClass, commands, executor }) {';
      const code = readFileSync(path, 'utf8');
      if (!code.includes(head)) throw new Error(`${path} no longer has ${head}`);
      const body = `${head} const p = BaseClass.prototype; p.$1 = p.$2 = 0; delete p.$1; delete p.$2;`;
      return { contents: code.replace(head, () => body) + NO_MAP };
    });
    // Not used, and its methods as many again.
    onLoad({ filter: /@redis\/client\/dist\/lib\/cluster\/index\.js$/ }, () => ({
      contents: 'module.exports = { default: {} };',
    }));
    onResolve({ filter: NOT_CALLED }, ({ path }) => ({ path, ...nothing }));
    onResolve({ filter: REDIS_STACK }, ({ path }) => ({ path, ...nothing }));
    onResolve({ filter: /^redis$/ }, () => find('@redis/client', { kind: 'require-call', resolveDir: ROOT }));

    // Where it is called only: with it Node loads a tenth as many of its own modules again.
    onResolve({ filter: /^(node:)?fs\/promises$/ }, ({ namespace }) =>
      namespace === 'lazy' ? undefined : { path: 'fs/promises', namespace: 'lazy' },
    );
    onLoad({ filter: /^/, namespace: 'lazy' }, ({ path }) => ({
      contents: `module.exports = { ${exportsOf(path)
        .map((name) => `get ${name}() { return require('node:${path}').${name}; }`)
        .join()} };`,
    }));
    // `import` of one of Node's own modules evaluates every getter of it: of node:http, that loads all of undici.
    // But node:v8, which main.js needs before any other file is loaded: the others would be those around it.
    const builtins = new Set(builtinModules.filter((name) => name !== 'v8'));
    onResolve({ filter: /^(node:)?[a-z0-9_]+(\/[a-z]+)?$/ }, ({ path, kind, namespace }) => {
      const name = path.replace(/^node:/, '');
      if (kind !== 'import-statement' || namespace === 'builtin' || !builtins.has(name)) return undefined;
      return { path: name, namespace: 'builtin', sideEffects: false };
    });
    // Of CommonJS, esbuild would make an object with a getter for every export, for each file that imports one.
    onLoad({ filter: /^/, namespace: 'builtin' }, ({ path }) => ({
      contents: `const all = require('node:${path}'); export default all;${exportsOf(path)
        .map((name) => `export const ${name} = /* @__PURE__ */ (() => all.${name})();`)
        .join('')}`,
    }));

    onLoad({ filter: /node_modules\/.*\.[cm]?js$/ }, ({ path }) => ({
      contents: readFileSync(path, 'utf8') + NO_MAP,
      loader: 'js',
    }));
  },
};

rmSync(target, { recursive: true, force: true });
const entries = [
  ...PROGRAMS.filter((name) => existsSync(join(source, name))),
  ...readdirSync(source, { recursive: true, encoding: 'utf8' }).filter((name) => FOUND_BY_FILE.test(name)),
];
const { outputFiles, metafile } = await build({
  absWorkingDir: ROOT,
  entryPoints: Object.fromEntries(entries.map((name) => [name.slice(0, -'.js'.length), join(source, name)])),
  // Wherever it is written to: source maps name `../src`.
  outdir: join(ROOT, 'dist'),
  chunkNames: 'chunks/[name]-[hash]',
  bundle: true,
  splitting: true,
  platform: 'node',
  format: 'esm',
  target: 'node20.19',
  external: [...NOT_INSTALLED, ...COPIED.flatMap(({ name }) => [name, `${name}/*`])],
  // Not the names, which stack traces are made of.
  minifyWhitespace: true,
  legalComments: 'none',
  sourcemap: true,
  sourcesContent: false,
  metafile: true,
  plugins: [plugin],
  banner: {
    js: [
      "import { createRequire as bundledRequire } from 'node:module';",
      "import { join as bundledJoin } from 'node:path';",
      'const require = bundledRequire(import.meta.url);',
      `const bundledPrograms = bundledJoin(import.meta.dirname, '${WAY_UP}');`,
    ].join(''),
  },
  write: false,
  logLevel: 'warning',
});
for (const { path, contents } of outputFiles) {
  const file = join(targetDist, relative(join(ROOT, 'dist'), path));
  mkdirSync(dirname(file), { recursive: true });
  const wayUp = relative(dirname(file), targetDist) || '.';
  const text = Buffer.from(contents).toString();
  // esbuild writes escapes into strings, but not into regular expressions.
  const wide = /.{0,30}[\u0100-\uffff]/.exec(path.endsWith('.js') ? text : '');
  if (wide) throw new Error(`V8 would keep ${file} at two bytes a character, for ${wide[0]}`);
  writeFileSync(file, text.replace(WAY_UP, wayUp));
}
cpSync(
  join(source, 'database/migrations/manifest.json'),
  join(targetDist, 'database/migrations/manifest.json'),
);
for (const { name, files } of COPIED) copyPackage(name, files);
writePackageFile();
writeLicences();

/**
 * Where two modules have a class of one name, esbuild renames one; Nest's log and TypeORM's and OpenAPI's names are made
 * of them. Not for every dependency: each kept name is a call at the start, and 2 MB in all.
 *
 * @param {string} code @param {'inline' | false} sourcemap
 */
async function keepNames(code, sourcemap) {
  return (await transform(code, { keepNames: true, sourcemap })).code;
}

/** @returns {string[]} the packages of those that npm installed for this platform */
function argon2Binaries() {
  return readdirSync(join(ROOT, 'node_modules/@node-rs'))
    .filter((name) => name.startsWith('argon2-'))
    .map((name) => `@node-rs/${name}`);
}

/** @param {string} name @param {readonly string[] | RegExp} files */
function copyPackage(name, files) {
  const from = join(ROOT, 'node_modules', name);
  const names = files instanceof RegExp ? readdirSync(from).filter((file) => files.test(file)) : files;
  for (const file of ['package.json', ...names]) {
    cpSync(join(from, file), join(target, 'node_modules', name, file));
  }
}

/** Node learns from it that these are ES modules, and the service which release it is. */
function writePackageFile() {
  /** @type {Record<string, unknown>} */
  const { name, version, description, license, type, engines } = JSON.parse(
    readFileSync(join(ROOT, 'package.json'), 'utf8'),
  );
  const fields = { name, version, description, private: true, license, type, engines };
  writeFileSync(join(target, 'package.json'), `${JSON.stringify(fields, null, 2)}\n`);
}

/** Most licences ask that their text goes where the code goes. */
function writeLicences() {
  const bundled = Object.keys(metafile.inputs).flatMap(
    (path) => /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1] ?? [],
  );
  const folders = new Set([...bundled, ...COPIED.map(({ name }) => `node_modules/${name}`)]);
  const texts = [...folders].sort().map((folder) => {
    const manifest = createRequire(import.meta.url)(join(ROOT, folder, 'package.json'));
    const { name, version } = manifest;
    const license = manifest.license ?? manifest.licenses?.[0]?.type ?? LICENCES_BY_README[name];
    const file = readdirSync(join(ROOT, folder)).find((each) => /^licen[cs]e/i.test(each));
    const text = file ? readFileSync(join(ROOT, folder, file), 'utf8').trim() : 'without a text of its own';
    return `${name} ${version} (${license})\n\n${text}\n`;
  });
  writeFileSync(join(target, 'LICENSES.txt'), texts.join(`\n${'-'.repeat(80)}\n\n`));
}

/**
 * @param {string} builtin one of Node's own modules
 * @returns {string[]} the names that it exports
 */
function exportsOf(builtin) {
  return Object.keys(createRequire(import.meta.url)(`node:${builtin}`)).filter(
    (name) => /^[a-z_$][\w$]*$/i.test(name) && name !== 'default',
  );
}
