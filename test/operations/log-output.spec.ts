import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, expect, it } from '@jest/globals';

const LOGGER = pathToFileURL(join(process.env['TEST_BUILD']!, 'observability', 'logger.js')).href;

let child: ReturnType<typeof logAndExit>;
afterEach(() => {
  child.kill('SIGKILL');
});

/** A process that logs numbers from 0, far more than a pipe holds, and ends after that or some ms later. */
function logAndExit(count: number, afterMs = 0, command = [process.execPath]) {
  const source = `
    import { createLogger, exitOnceWritten } from '${LOGGER}';
    const logger = await createLogger({ LOG_LEVEL: 'info', LOG_FORMAT: 'json' });
    for (let i = 0; i < ${count}; i++) logger.info(String(i));
    const end = () => {
      logger.fatal('end');
      exitOnceWritten(logger, 7);
    };
    if (${afterMs} === 0) end();
    else setTimeout(end, ${afterMs});
  `;
  const [program, ...args] = [...command, '--input-type=module', '--eval', source];
  return spawn(program, args, {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
}

async function messagesOf({ stdout }: typeof child): Promise<string[]> {
  let text = '';
  stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
  expect(await once(child, 'close')).toEqual([7, null]);
  const lines = text.trimEnd().split('\n');
  return lines.map((line) => (JSON.parse(line) as { msg: string }).msg);
}

it('writes all that was logged before the end, in its order', async () => {
  child = logAndExit(20_000);
  const numbers = Array.from({ length: 20_000 }, (_, i) => String(i));
  expect(await messagesOf(child)).toEqual([...numbers, 'end']);
});

it('buffers at most 16 MiB, and logs how many lines were dropped', async () => {
  const count = 300_000;
  child = logAndExit(count, 3000);
  const messages = await messagesOf(child);
  const [loss, end] = messages.splice(-2);
  const numbers = Array.from({ length: messages.length }, (_, i) => String(i));
  expect({ messages, loss, end }).toEqual({
    messages: numbers,
    loss: `${count - numbers.length} log lines were dropped because stdout was not read in time`,
    end: 'end',
  });
  expect(numbers.length).toBeGreaterThan(100_000);
});

it('exits even if nobody reads the log', async () => {
  child = logAndExit(20_000);
  expect(await once(child, 'exit')).toEqual([null, 'SIGKILL']);
});

/** Runs a command as process 1 of a PID namespace of its own, as in a container. Only root may. */
const AS_PROCESS_1 = ['unshare', '--fork', '--pid', '--kill-child', process.execPath];
const canUnshare = spawnSync('unshare', ['--fork', '--pid', 'true']).status === 0;

(canUnshare ? it : it.skip)('also ends process 1 of a container, which cannot kill itself', async () => {
  child = logAndExit(20_000, 0, AS_PROCESS_1);
  const exited = once(child, 'exit');
  const started = Date.now();
  await exited;
  expect(Date.now() - started).toBeLessThan(20_000);
});
