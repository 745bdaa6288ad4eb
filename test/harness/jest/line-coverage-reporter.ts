import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Reporter, Test, TestResult } from '@jest/reporters';
import { decode } from '@jridgewell/sourcemap-codec';

const LEAST_PERCENT = 90;
const SHOWN_FILES = 20;

/** A file of the service, as source maps name it: by a path or a URL, also in a copy of the project. */
const SOURCE = /^(?!.*(?:node_modules|client)\/)(?:.*\/)?(src\/.*(?<!\.spec)\.ts)$/;

interface SourceMap {
  readonly sources: readonly string[];
  readonly mappings: string;
}
interface Range {
  readonly startOffset: number;
  readonly endOffset: number;
  readonly count: number;
}
type Functions = readonly { readonly ranges: readonly Range[] }[];

/** What Node writes to NODE_V8_COVERAGE when a process ends: https://nodejs.org/api/cli.html#node_v8_coveragedir */
interface ProcessCoverage {
  readonly result: readonly { readonly url: string; readonly functions: Functions }[];
  readonly 'source-map-cache'?: Readonly<
    Record<string, { readonly lineLengths: readonly number[]; readonly data: SourceMap | null }>
  >;
}

/**
 * Shows which lines of `src` ran, in Jest or in a process that a test started, for `npm run coverage`. A line counts if the
 * compiler made code of it that is more than brackets or an import. A process that was killed reports nothing.
 */
export class LineCoverageReporter implements Pick<
  Reporter,
  'onTestResult' | 'onRunComplete' | 'getLastError'
> {
  /** For each source file, its lines with code, and whether they ran. */
  private readonly files = new Map<string, Map<number, boolean>>();
  private error: Error | undefined;

  onTestResult(_test: Test, { v8Coverage = [] }: TestResult): void {
    for (const { codeTransformResult, result } of v8Coverage) {
      if (typeof codeTransformResult?.sourceMapPath !== 'string') continue;
      const map = JSON.parse(readFileSync(codeTransformResult.sourceMapPath, 'utf8')) as SourceMap;
      this.add(map, lengthsOf(codeTransformResult.code), result.functions);
    }
    this.readProcesses();
  }

  onRunComplete(): void {
    this.readProcesses();
    this.addBuild();
    this.report();
  }

  getLastError(): Error | undefined {
    return this.error;
  }

  private readProcesses(): void {
    const folder = process.env['NODE_V8_COVERAGE']!;
    for (const name of readdirSync(folder)) {
      const text = readFileSync(join(folder, name), 'utf8');
      // A process is writing it.
      if (!text.endsWith('}')) continue;
      const { result, 'source-map-cache': maps = {} } = JSON.parse(text) as ProcessCoverage;
      for (const { url, functions } of result) {
        const { data, lineLengths } = maps[url] ?? {};
        if (data && lineLengths) this.add(data, lineLengths, functions);
      }
      rmSync(join(folder, name));
    }
  }

  /** Lines of files that were never loaded. */
  private addBuild(): void {
    const build = process.env['TEST_BUILD']!;
    for (const name of readdirSync(build, { recursive: true, encoding: 'utf8' })) {
      if (!name.endsWith('.js')) continue;
      const map = JSON.parse(readFileSync(join(build, `${name}.map`), 'utf8')) as SourceMap;
      this.add(map, lengthsOf(readFileSync(join(build, name), 'utf8')), []);
    }
  }

  /** @param lineLengths of the code that ran, without line breaks */
  private add(map: SourceMap, lineLengths: readonly number[], functions: Functions): void {
    const sources = map.sources.map((path) =>
      [SOURCE.exec(path)?.[1]].find((file) => file && existsSync(file)),
    );
    if (!sources.some(Boolean)) return;
    const length = lineLengths.reduce((sum, each) => sum + each + 1, 0);
    const ran = new Uint8Array(length);
    // Outer ranges first, so that the innermost one counts.
    const ranges = functions.flatMap((each) => each.ranges);
    for (const { startOffset, endOffset, count } of [...ranges].sort(
      (a, b) => a.startOffset - b.startOffset || b.endOffset - a.endOffset,
    ))
      ran.fill(Math.min(count, 1), startOffset, endOffset);
    let offset = 0;
    for (const [index, line] of decode(map.mappings).entries()) {
      for (const [column, source, original] of line) {
        const file = sources[source ?? -1];
        if (!file || original === undefined) continue;
        const lines = this.files.get(file) ?? new Map<number, boolean>();
        this.files.set(file, lines.set(original, lines.get(original) === true || ran[offset + column] === 1));
      }
      offset += (lineLengths[index] ?? 0) + 1;
    }
  }

  private report(): void {
    const rows = [...this.files].map(([file, lines]) => {
      // The bundle has no imports.
      const text = readFileSync(file, 'utf8')
        .replace(/^import [^;]*;/gm, (code) => code.replace(/./g, ' '))
        .split('\n');
      const code = [...lines].filter(([line]) => /[^\s()[\]{};,]/.test(text[line] ?? ''));
      const missed = code.flatMap(([line, ran]) => (ran ? [] : [line + 1]));
      return { file, count: code.length, missed: missed.sort((a, b) => a - b) };
    });
    rows.sort((a, b) => b.missed.length - a.missed.length);
    for (const { file, count, missed } of rows.slice(0, SHOWN_FILES))
      console.log(`${file}: ${missed.length} of ${count} lines did not run: ${missed.join(' ')}`);
    const all = rows.reduce((sum, { count }) => sum + count, 0);
    const missed = rows.reduce((sum, row) => sum + row.missed.length, 0);
    const percent = (100 * (all - missed)) / all;
    console.log(`\ncoverage: ${percent.toFixed(1)} % of ${all} lines ran, at least ${LEAST_PERCENT} % must`);
    if (percent < LEAST_PERCENT) this.error = new Error('too few lines ran');
  }
}

function lengthsOf(code: string): number[] {
  return code.split('\n').map((line) => line.length);
}
