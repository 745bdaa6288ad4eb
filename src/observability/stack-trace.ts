import { readFileSync } from 'node:fs';
import { SourceMap, type SourceMapPayload } from 'node:module';
import { fileURLToPath } from 'node:url';

/** Missing in @types/node. */
type CallSite = NodeJS.CallSite & { toString(): string };

/** By compiled file; undefined if it has no map. */
const maps = new Map<string, SourceMap | undefined>();

/**
 * Makes `stack` name the TypeScript sources, as `node --enable-source-maps` does. That reads every map at start (200 ms and
 * 20 MB for the bundle); this reads a map at the first error of its file.
 *
 * https://v8.dev/docs/stack-trace-api#customizing-stack-traces
 */
export function nameSourcesInStacks(): void {
  Error.prepareStackTrace = (error, sites) =>
    [describe(error), ...sites.map((site) => `    at ${locate(site)}`)].join('\n');
}

/** The first line of V8's stack; works if the error's own `toString` throws. */
function describe(error: Error): string {
  try {
    return Error.prototype.toString.call(error);
  } catch {
    return 'Error';
  }
}

function locate(site: CallSite): string {
  const text = site.toString();
  const file = site.getFileName();
  const [line, column] = [site.getLineNumber(), site.getColumnNumber()];
  if (!file?.startsWith('file:') || line === null || column === null) return text;
  const origin = mapOf(file)?.findOrigin(line, column);
  // Dependencies in the bundle have no sources.
  if (!origin || !('fileName' in origin) || !origin.fileName) return text;
  const source = fileURLToPath(new URL(origin.fileName, file));
  return text.replace(`${file}:${line}:${column}`, `${source}:${origin.lineNumber}:${origin.columnNumber}`);
}

function mapOf(file: string): SourceMap | undefined {
  if (!maps.has(file)) maps.set(file, readMap(`${fileURLToPath(file)}.map`));
  return maps.get(file);
}

function readMap(path: string): SourceMap | undefined {
  try {
    return new SourceMap(JSON.parse(readFileSync(path, 'utf8')) as SourceMapPayload);
  } catch {
    return undefined;
  }
}
