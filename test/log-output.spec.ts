import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, expect, it } from '@jest/globals';

const LOGGER = pathToFileURL(join(process.env['TEST_BUILD']!, 'observability', 'logger.js')).href;

let child: ReturnType<typeof logAndExit>;
afterEach(() => {
  child.kill('SIGKILL');
});

/** A process that logs numbers from 0, far more than a pipe holds, and ends. */
function logAndExit(count: number) {
  const source = `
    import { createLogger, exitOnceWritten } from '${LOGGER}';
    const logger = await createLogger({ level: 'info', format: 'json' });
    for (let i = 0; i < ${count}; i++) logger.info(String(i));
    logger.fatal('end');
    exitOnceWritten(logger, 7);
  `;
  return spawn(process.execPath, ['--input-type=module', '--eval', source], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
}

it('writes all that was logged before the end, in its order', async () => {
  child = logAndExit(20_000);
  let text = '';
  child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
  const [code] = await once(child, 'close');
  const messages = text
    .trimEnd()
    .split('\n')
    .map((line) => (JSON.parse(line) as { msg: string }).msg);
  expect({ code, messages }).toEqual({
    code: 7,
    messages: [...Array.from({ length: 20_000 }, (_, i) => String(i)), 'end'],
  });
});

it('keeps no process that is to end, where nobody reads the log', async () => {
  child = logAndExit(20_000);
  expect(await once(child, 'exit')).toEqual([null, 'SIGKILL']);
});
