import { afterEach, expect, it, jest } from '@jest/globals';
import { runCommand } from './command.js';
import { develop } from './develop.js';

afterEach(() => {
  jest.restoreAllMocks();
});

it.each([[[]], [['src/migrations/']], [['src/migrations/Not-A-Name']]])(
  'generate %j asks for a name, without a connection',
  async (args) => {
    const said = jest.spyOn(console, 'error').mockReturnValue();
    const code = await runCommand('migrate', ['generate', ...args], [develop('generate <path>')], {
      log: { info: () => {}, warn: () => {} },
      withOptions: () => Promise.reject(new Error('it connected')),
    });
    expect(code).toBe(1);
    expect(said).toHaveBeenCalledWith(
      'the new migration needs a name of letters and digits: generate <path>',
    );
  },
);
