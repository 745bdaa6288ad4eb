import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { ApiClient } from '../harness/http/client.js';
import { createMigratedDatabase, type TestDatabase } from '../harness/database/database.js';
import { Releases } from '../harness/programs/releases.js';

let migrated: TestDatabase;
let releases: Releases;

beforeAll(async () => {
  migrated = await createMigratedDatabase();
});
afterAll(() => migrated.drop());
beforeEach(async () => {
  releases = await Releases.create(migrated);
});
afterEach(() => releases.remove());

describe('order and identity', () => {
  const ADD = (column: string, extra = '') => `${extra}
    async up(runner) { await runner.query('ALTER TABLE entries ADD COLUMN ${column} integer'); }
    async down(runner) { await runner.query('ALTER TABLE entries DROP COLUMN ${column}'); }`;

  it('names a migration that was edited after it was applied, at boot and in status', async () => {
    await releases.migrateTo(releases.build({ '9000000000001-AddThing': ADD('thing') }));
    const edited = releases.build({ '9000000000001-AddThing': ADD('other') });
    const program = releases.boot(edited);
    await program.listening();
    expect(program.lines).toContainEqual(
      expect.objectContaining({
        level: 'warn',
        msg: expect.stringMatching(/AddThing9000000000001 was edited/),
      }),
    );
  });

  it('does not warn if a migration was only reformatted', async () => {
    await releases.migrateTo(releases.build({ '9000000000001-AddThing': ADD('thing') }));
    const formatted = releases.build({
      '9000000000001-AddThing': ADD('thing').replace('ALTER TABLE entries ADD', 'ALTER TABLE  entries  ADD'),
    });
    const program = releases.boot(formatted);
    await program.listening();
    expect(program.stdout).not.toContain('was edited');
  });

  it('applies one that is older than the newest applied one, with a warning', async () => {
    await releases.migrateTo(releases.build({ '9000000000002-Second': ADD('second') }));
    const merged = releases.boot(
      releases.build({ '9000000000001-First': ADD('first'), '9000000000002-Second': ADD('second') }),
    );
    await merged.listening();
    expect(merged.stdout).toContain(
      'First9000000000001 is older than the newest applied migration: applying it anyway',
    );
    expect(await releases.columnsOf('entries')).toEqual(expect.arrayContaining(['first', 'second']));
  });

  it('refuses a database of a newer release, and names the release to use', async () => {
    await releases.migrateTo(releases.build({ '9000000000001-Newer': ADD('newer') }));
    const older = releases.boot();
    expect(await older.exited).toEqual({ code: 1, signal: null });
    expect(older.lines.at(-1)?.msg).toMatch(
      /ahead of this release \(\d+\.\d+\.\d+\), by Newer9000000000001, .* use release \d+\.\d+\.\d+ or later/,
    );
  });

  it('starts with a warning if newer migrations are marked compatible', async () => {
    await releases.migrateTo(releases.build({ '9000000000001-Newer': ADD('newer', 'compatible = true;') }));
    const older = releases.boot();
    const client = await new ApiClient(await older.listening()).signUp();
    expect(older.lines).toContainEqual(
      expect.objectContaining({ level: 'warn', msg: expect.stringContaining('marked compatible') }),
    );
    expect((await client.post('/entries', { text: 'works', mood: 5 })).status).toBe(201);
    expect((await client.get('/health')).status).toBe(200);
  });

  it('applies a generated migration for a generated column, whose expression TypeORM stores in its own table', async () => {
    const build = releases.build({
      '9000000000001-AddSearch': `
        async up(runner) {
          await runner.query("ALTER TABLE entries ADD search tsvector GENERATED ALWAYS AS (to_tsvector('simple', text)) STORED");
          await runner.query(
            'INSERT INTO "typeorm_metadata"("database", "schema", "table", "type", "name", "value") VALUES ($1, $2, $3, $4, $5, $6)',
            ['db', 'public', 'entries', 'GENERATED_COLUMN', 'search', "to_tsvector('simple', text)"],
          );
        }
        async down(runner) {
          await runner.query('DELETE FROM "typeorm_metadata" WHERE "name" = $1', ['search']);
          await runner.query('ALTER TABLE entries DROP COLUMN search');
        }`,
    });
    await releases.boot(build).listening();
    expect(await releases.columnsOf('entries')).toContain('search');
  });

  it('adds migrations that TypeORM applied to its history', async () => {
    await releases.database.query('DROP TABLE migration_history');
    await releases.migrateTo(releases.build({ '9000000000001-AddThing': ADD('thing') }));
    const rows = await releases.database.query<{ name: string; release: string }>(
      'SELECT name, release FROM migration_history ORDER BY name',
    );
    expect(rows.map(({ name }) => name).sort()).toEqual((await releases.migrationNames()).sort());
    expect(rows.filter(({ release }) => release === 'unknown')).toHaveLength(rows.length - 1);
  });
});
