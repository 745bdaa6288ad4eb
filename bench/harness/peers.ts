import { execFileSync, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { build as bundle, type Plugin } from 'esbuild';
import { makeStateFolder, ROOT, STATE_FOLDER } from '../../scripts/environment.js';

export const hasGo = spawnSync('go', ['version']).error === undefined;
const PEERS = join(ROOT, 'bench', 'peers');
const BUILT = join(STATE_FOLDER, 'bench');

/** Nest and TypeORM ask at run time for packages that no peer installs. */
const notInstalled: Plugin = {
  name: 'not-installed',
  setup(build) {
    build.onResolve({ filter: /^[@a-z]/ }, async ({ path, resolveDir, kind, pluginData }) => {
      if (pluginData === notInstalled) return undefined;
      const { errors } = await build.resolve(path, { resolveDir, kind, pluginData: notInstalled });
      return errors.length > 0 ? { path, external: true } : undefined;
    });
  },
};

/**
 * @param packages bundled, as those of our own programs are, the number of files that Node loads does not count
 * @returns the command that runs the peer
 */
export async function buildPeer(name: string, packages: 'bundle' | 'external'): Promise<string[]> {
  makeStateFolder();
  const outfile = join(BUILT, `${name}.mjs`);
  await bundle({
    entryPoints: [join(PEERS, name, 'main.ts')],
    outfile,
    bundle: true,
    packages,
    platform: 'node',
    format: 'esm',
    target: 'node20.19',
    keepNames: true,
    minifyWhitespace: true,
    plugins: [notInstalled],
    banner: {
      js: "import { createRequire as bundledRequire } from 'node:module'; const require = bundledRequire(import.meta.url);",
    },
    logLevel: 'error',
  });
  return [process.execPath, outfile];
}

/** @returns the command that runs the peer in Go; undefined where there is no Go */
export function buildGoPeer(): string[] | undefined {
  if (!hasGo) return undefined;
  const program = join(BUILT, 'go-peer');
  execFileSync('go', ['build', '-o', program, '.'], { cwd: join(PEERS, 'go'), stdio: 'inherit' });
  return [program];
}
