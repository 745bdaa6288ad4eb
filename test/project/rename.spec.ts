import { cpSync, readFileSync } from 'node:fs';
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ROOT } from '../../scripts/environment.js';
import { createDatabase } from '../harness/database/database.js';
import { ApiClient } from '../harness/http/client.js';
import { readJwt } from '../harness/http/jwt.js';
import { Program } from '../harness/programs/program.js';
import { copyProject, type ProjectCopy } from '../harness/programs/project-copy.js';

const FILES = [
  'package-lock.json',
  'Dockerfile',
  'docker-compose.yml',
  'README.md',
  '.devcontainer',
  'docs/openapi.json',
  'client',
];

let project: ProjectCopy;
beforeAll(() => {
  project = copyProject();
  for (const name of FILES) cpSync(join(ROOT, name), join(project.folder, name), { recursive: true });
});
afterAll(() => project.remove());

const read = (name: string) => readFileSync(join(project.folder, name), 'utf8');

async function rename(...args: string[]) {
  const program = new Program(
    spawn(process.execPath, ['--import', 'tsx', join(project.folder, 'scripts/rename.ts'), ...args], {
      env: { PATH: process.env['PATH'] },
      stdio: ['ignore', 'pipe', 'pipe'],
    }),
  );
  const { code } = await program.exited;
  return { code, stdout: program.stdout, stderr: program.stderr };
}

describe('npm run rename', () => {
  it.each(['', 'My Service', '../x'])('refuses the name %j, and changes nothing', async (name) => {
    expect(await rename(name)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('such as my-service'),
    });
    expect(read('package.json')).toBe(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  });

  it('names tokens, connections, documentation, the client, Compose and its database', async () => {
    expect(await rename('my-service')).toMatchObject({ code: 0, stderr: '' });
    expect(JSON.parse(read('package-lock.json'))).toMatchObject({
      name: 'my-service',
      packages: { '': { name: 'my-service' } },
    });
    expect(JSON.parse(read('client/package.json'))).toMatchObject({ name: 'my-service-client' });
    expect(read('client/README.md')).not.toContain('entries-client');
    const compose = read('docker-compose.yml');
    expect(compose).toMatch(/^name: my-service$/m);
    for (const key of ['PGUSER', 'PGDATABASE', 'DB_USER', 'DB_NAME', 'POSTGRES_USER', 'POSTGRES_DB'])
      expect(compose).toMatch(new RegExp(`^ +${key}: my_service$`, 'm'));
    expect(compose).not.toMatch(/\b(user|db)name=entries/);
    expect(read('src/config/config.schema.ts')).toContain(
      'postgres://my_service:password@localhost:5432/my_service',
    );

    const database = await createDatabase();
    const program = Program.start({ DATABASE_URL: database.url }, join(project.folder, 'dist/main.js'));
    try {
      const client = new ApiClient(await program.listening());
      const { account } = await client.signUp();
      expect(readJwt(account.accessToken).claims).toMatchObject({ iss: 'my-service', aud: 'my-service' });
      expect((await client.get('/openapi.json')).body).toMatchObject({ info: { title: 'my-service' } });
      expect((await client.get('/docs')).text).toContain('<title>my-service API</title>');
      const rows = await database.query(
        `SELECT DISTINCT split_part(application_name, ' ', 1) AS name FROM pg_stat_activity
          WHERE datname = current_database() AND application_name <> ''`,
      );
      expect(rows).toEqual([{ name: 'my-service' }]);
    } finally {
      await program.stop();
      await database.drop();
    }
  });

  it('can be repeated', async () => {
    expect(await rename('other')).toMatchObject({ code: 0, stderr: '' });
    expect(read('docker-compose.yml')).not.toContain('my_service');
  });
});
