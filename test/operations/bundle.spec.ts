import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ApiClient } from '../harness/http/client.js';
import { createDatabase, type TestDatabase } from '../harness/database/database.js';
import { Program } from '../harness/programs/program.js';

/** `npm run bundle`'s, with which all suites run that start a program. */
const BUNDLE = resolve(dirname(process.env['TEST_PROGRAM']!), '..');
// Suites that need a place of their own beside it make one in the same folder.
const files = ['dist', 'node_modules'].flatMap((folder) =>
  readdirSync(join(BUNDLE, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.\w+$/.test(name))
    .map((name) => join(folder, name)),
);

let database: TestDatabase;
let bundled: Program;
let compiled: Program;
let client: ApiClient;

beforeAll(async () => {
  database = await createDatabase();
  const environment = { DATABASE_URL: database.url };
  bundled = Program.start(environment);
  client = new ApiClient(await bundled.listening());
  compiled = Program.start(environment, join(process.env['TEST_BUILD']!, 'main.js'));
  await compiled.listening();
});
afterAll(async () => {
  await Promise.all([bundled.stop(), compiled.stop()]);
  await database.drop();
});

describe('the bundle', () => {
  it('logs at start what the build prints', () => {
    const messages = ({ lines }: Program) =>
      lines.map(({ context, msg }) => `${String(context)}: ${String(msg)}`.replace(/127\.0\.0\.1:\d+/g, ''));
    // It came second, and found nothing to apply.
    const applied = (message: string) => !/migrations|migration \w+:/.test(message);
    expect(messages(bundled).filter(applied)).toEqual(messages(compiled).filter(applied));
  });

  it('describes the API as the build does, with every name', async () => {
    const { text } = await client.get('/openapi.json');
    const other = new ApiClient(await compiled.listening());
    expect(JSON.parse(text)).toEqual((await other.get('/openapi.json')).body);
  });

  it('has what cannot be bundled: argon2, and the files of Swagger UI', async () => {
    expect((await client.signUp()).url).toBe(client.url);
    for (const name of ['swagger-ui.css', 'swagger-ui-bundle.js', 'favicon-32x32.png']) {
      expect((await client.get(`/docs/${name}`)).status).toBe(200);
    }
  });

  it('names the TypeScript source in the stack of an error', async () => {
    const ada = await client.signUp();
    await database.query('ALTER TABLE entries RENAME TO entries_gone');
    try {
      expect((await ada.get('/entries')).status).toBe(500);
    } finally {
      await database.query('ALTER TABLE entries_gone RENAME TO entries');
    }
    const failure = bundled.lines.find(({ level }) => level === 'error');
    expect(JSON.stringify(failure)).toMatch(/src\/entries\/entr\w+\.\w+\.ts:\d+:\d+/);
  });

  it('contains no source, development dependency or path of the build machine', () => {
    expect(files.length).toBeGreaterThan(10);
    for (const name of files) {
      expect(name).not.toMatch(/\.(ts|tsbuildinfo|spec\.\w+)$/);
      const text = readFileSync(join(BUNDLE, name), 'latin1');
      if (name.endsWith('.map')) expect(text).not.toMatch(/"sourcesContent":\s*\[\s*"/);
      if (!name.endsWith('.node')) expect([name, text.includes(resolve('.'))]).toEqual([name, false]);
    }
    const packages = readdirSync(join(BUNDLE, 'node_modules'), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('package.json'))
      .map(dirname);
    expect(packages.every((name) => /^(@node-rs\/argon2(-[\w-]+)?|swagger-ui-dist)$/.test(name))).toBe(true);
  });

  it('carries the licences of what is in it', () => {
    const licences = readFileSync(join(BUNDLE, 'LICENSES.txt'), 'utf8');
    for (const name of ['@nestjs/core', 'typeorm', 'fastify', 'pg', 'zod'])
      expect(licences).toMatch(new RegExp(`^${name} \\d+\\.\\d+\\.\\d+ \\(MIT\\)$`, 'm'));
  });
});
