import fs from 'node:fs';
import { Logger } from '@nestjs/common';
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { symbols, type Logger as Pino } from 'pino';
import { DatabaseError } from 'pg';
import { QueryFailedError } from 'typeorm';
import type { Config } from '../config/config.js';
import { createLogger, PinoLogger } from './logger.js';
import { requestContext } from './request-context.js';

/** A logger, and the lines that it writes instead of writing them to standard output. */
async function capture(settings: Partial<Pick<Config, 'LOG_LEVEL'>> = {}) {
  const pino = await createLogger({ LOG_LEVEL: 'trace', LOG_FORMAT: 'json', ...settings });
  const { [symbols.streamSym]: stream } = pino as Pino & Record<symbol, { write(line: string): unknown }>;
  const texts: string[] = [];
  jest.spyOn(stream!, 'write').mockImplementation((line) => texts.push(line));
  return {
    pino,
    nest: new PinoLogger(pino),
    /** All that was written. */
    text: () => texts.join(''),
    lines: () => texts.map((text) => JSON.parse(text) as Record<string, unknown>),
  };
}

const diary = 'Dear diary, nobody must know.';

function failedQuery(): QueryFailedError {
  const driverError = Object.assign(new DatabaseError('duplicate key value', 9, 'error'), {
    code: '23505',
    constraint: 'users_email_key',
    table: 'users',
    detail: `Key (email)=(${diary}) already exists.`,
    hint: diary,
    where: diary,
    internalQuery: diary,
  });
  return new QueryFailedError(`INSERT INTO entries VALUES ('${diary}')`, [diary], driverError);
}

afterEach(() => {
  jest.restoreAllMocks();
});

describe('a line of the log', () => {
  it('is JSON with level, time, process id and message', async () => {
    const { pino, lines } = await capture();
    pino.info('listening');
    expect(lines()).toEqual([
      {
        level: 'info',
        time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
        pid: process.pid,
        msg: 'listening',
      },
    ]);
  });

  it('stays one line for any message', async () => {
    const { nest, text, lines } = await capture();
    nest.log('one\ntwo\r\n{"level":"fatal"}\u2028');
    expect(text().split('\n')).toHaveLength(2);
    expect(lines()).toMatchObject([{ level: 'info', msg: 'one\ntwo\r\n{"level":"fatal"}\u2028' }]);
  });

  it('has the request id and the user id', async () => {
    const { nest, lines } = await capture();
    await requestContext.run({ requestId: 'req-1' }, async () => {
      nest.log('before');
      await Promise.resolve();
      requestContext.getStore()!.userId = 'ada';
      nest.log('after');
    });
    nest.log('outside');
    expect(lines().map(({ msg, requestId, userId }) => [msg, requestId, userId])).toEqual([
      ['before', 'req-1', undefined],
      ['after', 'req-1', 'ada'],
      ['outside', undefined, undefined],
    ]);
  });
});

describe('an error in the log', () => {
  it('has type, message, stack, code, constraint and table', async () => {
    const { pino, lines } = await capture();
    pino.error({ err: failedQuery() }, 'failed');
    expect(lines()).toMatchObject([
      {
        level: 'error',
        msg: 'failed',
        err: {
          type: 'QueryFailedError',
          message: 'duplicate key value',
          stack: expect.stringContaining('logger.spec.ts'),
          code: '23505',
          constraint: 'users_email_key',
          table: 'users',
        },
      },
    ]);
  });

  it.each<[string, (logger: Awaited<ReturnType<typeof capture>>, error: Error) => void]>([
    ['as err', ({ pino }, error) => pino.error({ err: error }, error.message)],
    ['by itself', ({ pino }, error) => pino.fatal(error)],
    ["by Nest's logger", ({ nest }, error) => nest.error(error, undefined, 'Problem')],
    ["by Nest's logger, without a context", ({ nest }, error) => nest.error(error)],
    ["by Nest's logger, as a warning", ({ nest }, error) => nest.warn(error, 'Problem')],
  ])('has no statement, parameters or quoted rows: %s', async (_way, write) => {
    const logger = await capture();
    write(logger, failedQuery());
    expect(logger.lines()).toHaveLength(1);
    expect(logger.text()).toContain('duplicate key value');
    expect(logger.text()).not.toContain(diary);
    expect(logger.text()).not.toContain('INSERT');
  });

  it('has no other properties of the error', async () => {
    const { pino, text } = await capture();
    const error = Object.assign(new Error('refused', { cause: new Error(diary) }), {
      password: diary,
      config: { headers: { authorization: diary } },
    });
    pino.error({ err: error }, error.message);
    pino.error({ err: new AggregateError([new Error(diary)], 'all refused') });
    expect(text()).toContain('all refused');
    expect(text()).not.toContain(diary);
  });

  it('may be a value that is not an Error', async () => {
    const { pino, lines } = await capture();
    pino.error({ err: 'a text' }, 'failed');
    expect(lines()).toMatchObject([{ msg: 'failed', err: { message: 'a text' } }]);
  });
});

describe('the level', () => {
  const inOrder = ['fatal', 'error', 'warn', 'info', 'debug', 'trace'] as const;

  it.each(inOrder.map((level, index) => [level, inOrder.slice(0, index + 1)] as const))(
    '%s writes %j',
    async (level, written) => {
      const { pino, lines } = await capture({ LOG_LEVEL: level });
      for (const each of inOrder) pino[each]('x');
      expect(lines().map((line) => line['level'])).toEqual(written);
    },
  );

  it('silent logs nothing', async () => {
    const { pino, text } = await capture({ LOG_LEVEL: 'silent' });
    for (const each of inOrder) pino[each]('x');
    expect(text()).toBe('');
  });
});

describe('PinoLogger', () => {
  it("maps Nest's levels to pino's", async () => {
    const { nest, lines } = await capture();
    nest.fatal('x', 'App');
    nest.error('x', 'App');
    nest.warn('x', 'App');
    nest.log('x', 'App');
    nest.debug('x', 'App');
    nest.verbose('x', 'App');
    expect(lines().map(({ level, context, msg }) => [level, context, msg])).toEqual([
      ['fatal', 'App', 'x'],
      ['error', 'App', 'x'],
      ['warn', 'App', 'x'],
      ['info', 'App', 'x'],
      ['debug', 'App', 'x'],
      ['trace', 'App', 'x'],
    ]);
  });

  it("receives the lines of Nest's Logger with their context", async () => {
    const { nest, lines } = await capture();
    Logger.overrideLogger(nest);
    const logger = new Logger('Sessions');
    logger.log('started');
    logger.warn('odd');
    logger.error(new Error('broken'));
    Logger.overrideLogger(true);
    expect(lines()).toMatchObject([
      { level: 'info', context: 'Sessions', msg: 'started' },
      { level: 'warn', context: 'Sessions', msg: 'odd' },
      { level: 'error', context: 'Sessions', msg: 'broken', err: { message: 'broken' } },
    ]);
  });

  it('accepts an error after the message of a warning, and logs its safe parts', async () => {
    const { nest, lines, text } = await capture();
    Logger.overrideLogger(nest);
    new Logger('Trash').warn('not purged', failedQuery());
    new Logger('Trash').debug('not purged', 'a text');
    Logger.overrideLogger(true);
    expect(lines()).toMatchObject([
      {
        level: 'warn',
        context: 'Trash',
        msg: 'not purged',
        err: { code: '23505', constraint: 'users_email_key' },
      },
      { level: 'debug', context: 'Trash', msg: 'not purged', err: { message: 'a text' } },
    ]);
    expect(text()).not.toContain(diary);
  });

  it('keeps the stack of an error message', async () => {
    const { nest, lines } = await capture();
    nest.error('broken', 'Error: broken\n    at somewhere', 'App');
    expect(lines()).toMatchObject([
      { level: 'error', context: 'App', msg: 'broken', stack: 'Error: broken\n    at somewhere' },
    ]);
  });

  it.each(['NestFactory', 'InstanceLoader', 'RoutesResolver', 'RouterExplorer', 'NestApplication'])(
    'leaves what %s tells of the wiring to debug',
    async (context) => {
      const { nest, text } = await capture({ LOG_LEVEL: 'info' });
      nest.log('dependencies initialized', context);
      expect(text()).toBe('');
      nest.warn('something odd', context);
      expect(text()).toContain('something odd');
    },
  );

  it('leaves a failed start to main.ts, which logs it once', async () => {
    const { nest, text } = await capture();
    nest.error(new Error('no database'), undefined, 'ExceptionHandler');
    expect(text()).toBe('');
  });
});

describe('the pretty format', () => {
  it('shows a request in one line', async () => {
    const texts: string[] = [];
    jest.spyOn(fs, 'writeSync').mockImplementation((_fd, text: string) => {
      texts.push(text);
      return text.length;
    });
    const pino = await createLogger({ LOG_LEVEL: 'info', LOG_FORMAT: 'pretty' });
    const request = {
      requestId: 'req-1',
      method: 'GET',
      route: '/entries/:id',
      status: 200,
      durationMs: 3.2,
    };
    pino.info({ ...request, bytes: 12 }, 'request');
    jest.restoreAllMocks();
    expect(texts.join('')).toMatch(
      /^\[[\d:.]{12}\] INFO: request GET \/entries\/:id 200 3.2 ms \{"requestId":"req-1","bytes":12\}\n$/,
    );
  });

  it('shows message, context and error without secrets', async () => {
    const texts: string[] = [];
    jest.spyOn(fs, 'writeSync').mockImplementation((_fd, text) => texts.push(text));
    const nest = new PinoLogger(await createLogger({ LOG_LEVEL: 'info', LOG_FORMAT: 'pretty' }));
    nest.log('listening', 'App');
    nest.error(failedQuery(), undefined, 'Problem');
    jest.restoreAllMocks();
    expect(texts.join('')).toMatch(/App: listening[^]*Problem: duplicate key value[^]*users_email_key/);
    expect(texts.join('')).not.toContain(diary);
  });
});
