import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createDatabase, type TestDatabase } from '../harness/database/database.js';
import { newestMigration } from '../harness/database/newest-migration.js';
import { copyProject, type ProjectCopy } from '../harness/programs/project-copy.js';

const NEWEST = newestMigration();
const TIMEOUT_MS = 60_000;

/** As the Nest documentation begins an entity. TypeORM would create an extension for its key. */
const MOOD_ENTITY = `
import { EntitySchema } from 'typeorm';
export const Mood = new EntitySchema({
  name: 'Mood',
  tableName: 'moods',
  columns: { id: { type: 'uuid', primary: true, generated: 'uuid' }, name: { type: 'text' } },
});
`;

let project: ProjectCopy;
let database: TestDatabase;

beforeAll(async () => {
  project = copyProject();
  database = await createDatabase();
});
afterAll(async () => {
  await database.drop();
  project.remove();
});

/** `npx typeorm migration:<command>`, as the TypeORM documentation shows it. */
async function typeorm(command: string, ...args: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(
    join('node_modules', '.bin', 'typeorm'),
    [`migration:${command}`, ...args, '-d', 'dist/database/data-source.js'],
    { cwd: project.folder, env: { PATH: process.env['PATH'], DATABASE_URL: database.url } },
  );
  return stdout;
}

describe('the TypeORM CLI', () => {
  it(
    'shows, runs and reverts the migrations of the build',
    async () => {
      expect(await typeorm('show')).toMatch(/^\[ \] CreateUsersSessionsAndEntries\d+$/m);
      await typeorm('run');
      expect(await typeorm('show')).toMatch(new RegExp(`^\\[X\\] \\d+ ${NEWEST}$`, 'm'));
      expect(await typeorm('revert')).toContain(`${NEWEST} has been reverted`);
      expect(await typeorm('show')).toContain(`[ ] ${NEWEST}`);
      expect(await typeorm('run')).toContain(`${NEWEST} has been executed`);
    },
    TIMEOUT_MS,
  );

  it(
    'generates nothing while entities and migrations agree, and exits with 1 as TypeORM does',
    async () => {
      const generated = typeorm('generate', 'src/database/migrations/Nothing');
      await expect(generated).rejects.toMatchObject({
        code: 1,
        stdout: expect.stringContaining('No changes in database schema were found'),
      });
    },
    TIMEOUT_MS,
  );

  it(
    'generates a migration for an edit, and creates no extension by itself',
    async () => {
      mkdirSync(join(project.folder, 'dist/moods'));
      writeFileSync(join(project.folder, 'dist/moods/mood.entity.js'), MOOD_ENTITY);
      await typeorm('generate', 'src/database/migrations/AddMoods');
      const folder = join(project.folder, 'src/database/migrations');
      const file = readdirSync(folder).find((name) => /^\d{13}-AddMoods\.ts$/.test(name))!;
      const source = readFileSync(join(folder, file), 'utf8');
      expect(source.match(/queryRunner\.query/g)).toHaveLength(2);
      expect(source).toContain('CREATE TABLE "moods" ("id" uuid NOT NULL DEFAULT gen_random_uuid()');
      expect(await database.query(`SELECT FROM pg_extension WHERE extname = 'pgcrypto'`)).toEqual([]);
    },
    TIMEOUT_MS,
  );
});
