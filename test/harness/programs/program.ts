import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { TEST_SECRET } from '../test-secret.js';

type LogLine = Readonly<Record<string, unknown>> & { readonly level?: string; readonly msg?: string };

/** The service in a process of its own, bundled as the image has it. */
export class Program {
  stdout = '';
  stderr = '';
  readonly exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;

  constructor(readonly process: ChildProcess) {
    process.stdout?.on('data', (chunk: Buffer) => (this.stdout += chunk.toString()));
    process.stderr?.on('data', (chunk: Buffer) => (this.stderr += chunk.toString()));
    this.exited = once(process, 'exit').then(([code, signal]) => ({ code, signal }));
  }

  /** Starts it on a free port, with nothing in its environment but what is given. */
  static start(
    environment: Readonly<Record<string, string | undefined>>,
    program = process.env['TEST_PROGRAM'],
    nodeOptions: readonly string[] = [],
  ): Program {
    if (!program) throw new Error('TEST_PROGRAM is not set: run the tests by npm test');
    const env = {
      PATH: process.env['PATH'],
      NODE_ENV: 'test',
      HOST: '127.0.0.1',
      PORT: '0',
      JWT_SECRET: TEST_SECRET,
      LOG_FORMAT: 'json',
      OVERLOAD_SHEDDING: 'false',
      ...environment,
    };
    return new Program(
      spawn(process.execPath, [...nodeOptions, program], { env, stdio: ['ignore', 'pipe', 'pipe'] }),
    );
  }

  get lines(): LogLine[] {
    return this.stdout
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line) as LogLine);
  }

  /** Where it listens. Rejects with all that it said when it ends before. */
  async listening(): Promise<string> {
    return this.said(/listening on (\S+?),? /);
  }

  /** The first group of the first line that matches. Rejects when the program ends before saying so. */
  async said(pattern: RegExp, timeoutMs = 20_000): Promise<string> {
    const deadline = Date.now() + timeoutMs;
    for (;;) {
      const match = pattern.exec(`${this.stdout}\n${this.stderr}`);
      if (match) return match[1] ?? match[0];
      if (this.process.exitCode !== null || this.process.signalCode !== null || Date.now() > deadline) {
        throw new Error(`the program did not say ${String(pattern)}:\n${this.stdout}\n${this.stderr}`);
      }
      await sleep(10);
    }
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM') {
    this.process.kill(signal);
    return this.exited;
  }
}
