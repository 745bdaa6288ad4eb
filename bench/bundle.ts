import { build as bundle, type Plugin } from 'esbuild';

/** Packages that Nest and TypeORM ask for where an application uses them, and no peer does. */
const leaveOut: Plugin = {
  name: 'not-installed',
  setup(build) {
    build.onResolve({ filter: /^[@a-z]/ }, async ({ path, resolveDir, kind, pluginData }) => {
      if (pluginData === leaveOut) return undefined;
      const found = await build.resolve(path, { resolveDir, kind, pluginData: leaveOut });
      return found.errors.length > 0 ? { path, external: true } : found;
    });
  },
};

/** Bundles a peer as our own programs are bundled, so that what is measured is not how many files Node loads. */
export async function bundlePeer(entry: string, outfile: string): Promise<void> {
  await bundle({
    entryPoints: [entry],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20.19',
    keepNames: true,
    minifyWhitespace: true,
    plugins: [leaveOut],
    banner: {
      js: "import { createRequire as bundledRequire } from 'node:module'; const require = bundledRequire(import.meta.url);",
    },
    logLevel: 'error',
  });
}
