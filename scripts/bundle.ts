import { cpSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { decode, encode, type SourceMapSegment } from '@jridgewell/sourcemap-codec';
import { build, type Plugin } from 'esbuild';
import { ROOT } from './environment.js';

/**
 * Bundles the build (`dist`) into what the image needs: the same programs under the same paths, with their dependencies in
 * a few files beside them.
 *
 *   npm run bundle -- [folder of the build: dist] [folder to write: bundle]
 *
 * What is found by its file, at run time or by an operator, keeps its path: the programs, the migrations, the entities.
 */
const source = resolve(process.argv[2] ?? join(ROOT, 'dist'));
const target = resolve(process.argv[3] ?? join(ROOT, 'bundle'));
const targetDist = join(target, 'dist');

const PROGRAMS = ['main.js', 'cli.js', 'database/migrate.js'];
const FOUND_BY_FILE = /\.entity\.js$|^database\/migrations\/\d{13}-\w+\.js$/;

/** What cannot be bundled, and the files of it that are needed. */
const COPIED: readonly { readonly name: string; readonly files: readonly string[] }[] = [
  // A native binary; which one is there depends on the platform that npm installed for.
  { name: '@node-rs/argon2', files: ['index.js'] },
  ...readdirSync(join(ROOT, 'node_modules/@node-rs'))
    .filter((name) => name.startsWith('argon2-'))
    .map((name) => {
      const files = readdirSync(join(ROOT, 'node_modules/@node-rs', name));
      return { name: `@node-rs/${name}`, files: files.filter((file) => file.endsWith('.node')) };
    }),
  // Sent to browsers.
  {
    name: 'swagger-ui-dist',
    files: ['swagger-ui.css', 'swagger-ui-bundle.js', 'favicon-32x32.png', 'LICENSE', 'NOTICE'],
  },
];

/** Loaded at run time by an application that uses them, which this one does not. */
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

/** What packages load at every start, and this application never uses. */
const UNUSED = [
  /\/typeorm\/driver\/(aurora-mysql|aurora-postgres|better-sqlite3|capacitor|cockroachdb|cordova|expo|mongodb|mysql|nativescript|oracle|react-native|sap|spanner|sqlite-abstract|sqljs|sqlserver)\//,
  /\/rate-limiter-flexible\/lib\/(Bursty|RateLimiter(Cluster|Drizzle|Dynamo|Etcd|Memcache|Mongo|MySQL|Postgres|Prisma|Queue|RedisNonAtomic|SQLite|Union|Valkey))/,
  /\/js-yaml\//,
];

/**
 * A class where its line ends. Nest's log and TypeORM's errors show the names of classes, and esbuild renames some. Its own
 * `keepNames` names every function too, each time that it is created: a seventh of the time of a request.
 */
const CLASS = /^\s*(?:export )?(?:default )?(?:let )?(?:\w+ = )*class (\w+)(?: extends [\w.$]+)? \{$/gm;

/** Of packages whose package.json says nothing. */
const LICENCES_BY_README: Readonly<Record<string, string>> = { pause: 'MIT' };

interface PackageFile {
  readonly name: string;
  readonly version: string;
  readonly description?: string;
  readonly license?: string;
  readonly licenses?: readonly { readonly type: string }[];
  readonly type?: string;
  readonly engines?: Readonly<Record<string, string>>;
}

const plugin: Plugin = {
  name: 'entries',
  setup(builder) {
    for (const filter of UNUSED) builder.onLoad({ filter }, () => ({ contents: '' }));
    builder.onLoad({ filter: /\.[cm]?js$/ }, ({ path }) => {
      const named = readFileSync(path, 'utf8').replaceAll(
        CLASS,
        `$& static { Object.defineProperty(this, 'name', { value: '$1' }); }`,
      );
      if (!path.startsWith(`${source}/`)) return { contents: named };
      // A bundled module lies in another folder than before: import.meta.dirname is to be the one before.
      const folder = JSON.stringify(relative(source, dirname(path)));
      const code = named.replaceAll('import.meta.dirname', `bundledFolder(${folder})`);
      const map = readFileSync(`${path}.map`).toString('base64');
      const mapped = code.replace(/(?<=\n\/\/# sourceMappingURL=).*/, `data:application/json;base64,${map}`);
      return { contents: mapped, resolveDir: dirname(path) };
    });
  },
};

rmSync(target, { recursive: true, force: true });
const entries = [
  ...PROGRAMS.filter((name) => existsSync(join(source, name))),
  ...readdirSync(source, { recursive: true, encoding: 'utf8' }).filter((name) => FOUND_BY_FILE.test(name)),
];
/** The way from each file to the folder of the programs is not known before the files are. */
const UP = '<up>';
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
      `const bundledFolder = (folder) => bundledJoin(import.meta.dirname, '${UP}', folder);`,
    ].join(''),
  },
  write: false,
  logLevel: 'warning',
});
for (const { path, text } of outputFiles) {
  const file = join(targetDist, relative(join(ROOT, 'dist'), path));
  if (path.endsWith('.map')) write(file, withoutPackages(text));
  else write(file, text.replace(UP, relative(dirname(file), targetDist) || '.'));
}
await writeMigrationManifest();
for (const { name, files } of COPIED) {
  for (const file of ['package.json', ...files]) {
    cpSync(join(ROOT, 'node_modules', name, file), join(target, 'node_modules', name, file));
  }
}
writePackageFile();
writeLicences();

/** Leaves out the positions of packages, which would be 5 MB of the image: a stack shows them as they are in the bundle. */
function withoutPackages(text: string): string {
  const map = JSON.parse(text) as { readonly sources: readonly string[]; readonly mappings: string };
  const isPackage = map.sources.map((path) => path.includes('node_modules/'));
  let isLeftOut = false;
  const mappings = decode(map.mappings).map((line) =>
    line.flatMap((segment): SourceMapSegment[] => {
      if (segment.length === 1 || !isPackage[segment[1]]) {
        isLeftOut = false;
        return [segment];
      }
      // One position without a source ends the one before.
      const end: SourceMapSegment[] = isLeftOut ? [] : [[segment[0]]];
      isLeftOut = true;
      return end;
    }),
  );
  const sources = map.sources.map((path, index) => (isPackage[index] ? '' : path));
  return JSON.stringify({ ...map, sources, mappings: encode(mappings) });
}

/** Describes each migration in one file, so that a boot need not load the code of those that were applied long ago. */
async function writeMigrationManifest(): Promise<void> {
  const module = pathToFileURL(join(source, 'migrator/history/migration-files.js')).href;
  const { MANIFEST, describeMigrations } = (await import(
    module
  )) as typeof import('../src/migrator/history/migration-files.js');
  const migrations = 'database/migrations';
  const descriptions = await describeMigrations(join(source, migrations));
  writeJson(join(targetDist, migrations, MANIFEST), descriptions);
}

/** Node learns from it that these are ES modules, and the service which release it is. */
function writePackageFile(): void {
  const { name, version, description, license, type, engines } = readPackageFile(ROOT);
  const fields = { name, version, description, private: true, license, type, engines };
  writeJson(join(target, 'package.json'), fields);
}

/** Most licences ask that their text goes where the code goes. */
function writeLicences(): void {
  const bundled = Object.keys(metafile.inputs).flatMap(
    (path) => /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1] ?? [],
  );
  const folders = new Set([...bundled, ...COPIED.map(({ name }) => `node_modules/${name}`)]);
  const texts = [...folders].sort().map((name) => {
    const folder = join(ROOT, name);
    const manifest = readPackageFile(folder);
    const license =
      manifest.license ?? manifest.licenses?.[0]?.type ?? LICENCES_BY_README[manifest.name] ?? 'unknown';
    const file = readdirSync(folder).find((each) => /^licen[cs]e/i.test(each));
    const text = file ? readFileSync(join(folder, file), 'utf8').trim() : 'without a text of its own';
    return `${manifest.name} ${manifest.version} (${license})\n\n${text}\n`;
  });
  write(join(target, 'LICENSES.txt'), texts.join(`\n${'-'.repeat(80)}\n\n`));
}

function readPackageFile(folder: string): PackageFile {
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as PackageFile;
}

function writeJson(file: string, value: object): void {
  write(file, `${JSON.stringify(value, null, 2)}\n`);
}

function write(file: string, text: string): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}
