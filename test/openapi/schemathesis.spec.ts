import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { startService } from '../harness/http/service.js';

/** Where .ci/fetch-tools puts it. */
const PACKAGES = resolve('.data/schemathesis');
const MAX_SECONDS = 15;
/** The same requests in every run, as far as the time allows. */
const SEED = 20_261_125;

const describeWithSchemathesis = existsSync(PACKAGES) ? describe : describe.skip;

describeWithSchemathesis('schemathesis', () => {
  it(
    'finds no difference between the document and the service',
    async () => {
      const service = await startService();
      const folder = mkdtempSync(join(tmpdir(), 'entries-schemathesis-'));
      try {
        const password = 'known to the hooks alone';
        const { account } = await service.signUp({ password });
        await service.database.query(`UPDATE users SET role = 'admin' WHERE id = $1`, [account.userId]);
        const here = import.meta.dirname;
        const args = [
          '-m',
          'schemathesis.cli',
          `--config-file=${join(here, 'schemathesis.toml')}`,
          'run',
          `${service.url}/openapi.json`,
          `--max-time=${MAX_SECONDS}`,
          `--seed=${SEED}`,
        ];
        const program = spawn('python3', args, {
          // It keeps failures in its working directory.
          cwd: folder,
          env: {
            PATH: process.env['PATH'],
            PYTHONDONTWRITEBYTECODE: '1',
            PYTHONPATH: `${PACKAGES}:${here}`,
            SCHEMATHESIS_HOOKS: 'schemathesis_hooks',
            API_URL: service.url,
            API_EMAIL: account.email,
            API_PASSWORD: password,
          },
        });
        let output = '';
        for (const stream of [program.stdout, program.stderr])
          stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
        const [code] = (await once(program, 'close')) as [number | null];
        expect(code === 0 ? '' : output).toBe('');
      } finally {
        await service.close();
        rmSync(folder, { recursive: true, force: true });
      }
    },
    MAX_SECONDS * 3000,
  );
});
