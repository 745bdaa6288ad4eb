import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { createDatabase, onServer, type TestDatabase } from '../harness/database/database.js';
import { Program } from '../harness/programs/program.js';
import { newestMigration } from '../harness/database/newest-migration.js';
import { copyProject, type ProjectCopy } from '../harness/programs/project-copy.js';

const NEWEST = newestMigration();
/** Whom the commands run as: what they leave behind is told by its owner from what other suites have under way. */
const ROLE = `commander_${randomBytes(6).toString('hex')}`;
const SCRATCH = `
  SELECT datname FROM pg_database WHERE datname LIKE 'migrator_scratch_%' AND pg_get_userbyid(datdba) = $1`;

let project: ProjectCopy;
let database: TestDatabase;
let databaseUrl: string;

// Many of the tests start several processes.
jest.setTimeout(120_000);

beforeAll(async () => {
  project = copyProject();
  database = await createDatabase();
  await onServer(`CREATE ROLE ${ROLE} LOGIN CREATEDB PASSWORD 'secret'`);
  await onServer(`ALTER DATABASE ${database.name} OWNER TO ${ROLE}`);
  databaseUrl = Object.assign(new URL(database.url), { username: ROLE, password: 'secret' }).href;
});
afterEach(async () => {
  expect(await onServer(SCRATCH, [ROLE])).toEqual([]);
});
afterAll(async () => {
  await database.drop();
  await onServer(`DROP ROLE ${ROLE}`);
  project.remove();
});

/** `npm run migration:<command>` after its build. */
async function migration(
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<Program & { code: number | null }> {
  const program = new Program(
    spawn(process.execPath, ['--import', 'tsx', join(project.folder, 'scripts/migration.ts'), ...args], {
      env: { PATH: process.env['PATH'], DATABASE_URL: databaseUrl, ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    }),
  );
  const { code } = await program.exited;
  return Object.assign(program, { code });
}

/** Edits the compiled entity, as a build after an edit of the source would. */
function editEntity(from: string, to: string): () => void {
  const file = join(project.folder, 'dist/entries/entry.entity.js');
  const before = readFileSync(file, 'utf8');
  expect(before).toContain(from);
  writeFileSync(file, before.replace(from, to));
  return () => {
    writeFileSync(file, before);
  };
}

describe('npm run migration:run, :show and :revert', () => {
  it('apply pending migrations, list them, and revert the newest', async () => {
    const first = await migration(['run']);
    expect(first.code).toBe(0);
    expect(first.stdout).toContain(`applied: CreateUsersSessionsAndEntries`);
    expect((await migration(['run'])).stdout).toContain('none pending');
    expect((await migration(['show'])).stdout).toMatch(new RegExp(`^applied  ${NEWEST}`, 'm'));

    expect(await migration(['revert'])).toMatchObject({
      code: 0,
      stdout: expect.stringContaining(`reverted: ${NEWEST}`),
    });
    expect(await database.query('SELECT 1 FROM migrations WHERE name = $1', [NEWEST])).toEqual([]);
    expect((await migration(['show'])).stdout).toMatch(new RegExp(`^pending  ${NEWEST}`, 'm'));
    expect((await migration(['run'])).stdout).toContain(`applied: ${NEWEST}`);
  });
});

describe('npm run migration:check', () => {
  it('passes if migrations and entities agree', async () => {
    expect(await migration(['check'])).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('they make what'),
    });
  });

  it('fails if they do not, and prints the missing SQL', async () => {
    const restore = editEntity('length: 50', 'length: 60');
    const { code, stdout } = await migration(['check']);
    restore();
    expect(code).toBe(1);
    expect(stdout).toContain('ALTER TABLE entries ALTER COLUMN category TYPE character varying(60)');
  });
});

describe('npm run migration:verify', () => {
  it('proves the migrations in a scratch database of the same server', async () => {
    const { code, stdout } = await migration(['verify', '--json']);
    expect(code).toBe(0);
    const { verified, faults } = JSON.parse(stdout);
    expect(verified).toBeGreaterThan(0);
    expect(faults).toEqual([]);
  });
});

describe('npm run migration:generate', () => {
  const MIGRATIONS = 'src/database/migrations';
  const generated = (name: string) => {
    const folder = join(project.folder, MIGRATIONS);
    const files = readdirSync(folder).filter((file) =>
      new RegExp(`^\\d{13}-${name}[A-Z]?.*\\.ts$`).test(file),
    );
    return files.sort().map((file) => readFileSync(join(folder, file), 'utf8'));
  };

  it('alters a column, renames an index and builds another, and leaves the database as it was', async () => {
    const before = await database.query('SELECT * FROM migrations');
    const restores = [
      editEntity(
        "'varchar', { length: 50, default: 'general' }",
        "'varchar', { length: 60, default: 'general' }",
      ),
      editEntity("'entries_trash_idx'", "'entries_wastebasket_idx'"),
      editEntity("['userId', 'createdAt', 'id']", "['userId', 'createdAt']"),
    ];
    const { code, stdout } = await migration(['generate', `${MIGRATIONS}/EditEntries`]);
    for (const restore of restores.reverse()) restore();
    expect(code).toBe(0);
    expect(stdout).toContain('read it, and commit it with the entity');
    const [edit = '', index, ...others] = generated('EditEntries');
    expect(edit).toMatch(/export class EditEntries\d{13} implements MigrationInterface/);
    expect(edit).toContain('ALTER TABLE entries ALTER COLUMN category TYPE character varying(60)');
    expect(edit).not.toContain('DROP COLUMN');
    expect(edit).toContain('ALTER INDEX entries_trash_idx RENAME TO entries_wastebasket_idx');
    // Outside of a transaction.
    expect(index).toMatch(/^ {2}transaction = false;$/m);
    expect(index).toContain('CREATE INDEX CONCURRENTLY entries_user_id_created_at_idx');
    expect(others).toEqual([]);
    expect(await database.query('SELECT * FROM migrations')).toEqual(before);
  });

  it('asks where a field may have been renamed, and writes nothing', async () => {
    const restore = editEntity('"deletedAt"', '"trashedAt"');
    const { code, stderr } = await migration(['generate', `${MIGRATIONS}/RenameField`]);
    expect(code).toBe(2);
    expect(stderr).toContain('--rename entries.deleted_at:trashed_at');
    expect(stderr).toContain('--drop entries.deleted_at');
    expect(generated('RenameField')).toEqual([]);
    restore();
  });

  it('says so where nothing has changed', async () => {
    const { code, stdout } = await migration(['generate', `${MIGRATIONS}/Nothing`]);
    expect(code).toBe(1);
    expect(stdout).toContain('nothing to generate');
  });

  it.each([
    [[], 'npm run migration:generate -- src/database/migrations/<Name>'],
    [[`${MIGRATIONS}/Refused`, '--rename', 'entries.deleted_at'], 'needs the form'],
    [[`${MIGRATIONS}/Refused`, '--drop', 'entries.text'], '--drop entries.text: an entity describes it'],
  ])('refuses %j', async (args, message) => {
    const { code, stderr } = await migration(['generate', ...args]);
    expect(code).toBe(1);
    expect(stderr).toContain(message);
    expect(stderr).not.toMatch(/^\s+at /m);
    expect(generated('Refused')).toEqual([]);
  });

  describe('prints one line and writes nothing', () => {
    const refused = async () => {
      const { code, stdout, stderr } = await migration(['generate', `${MIGRATIONS}/Refused`]);
      expect({ code, stdout, lines: stderr.split('\n').length - 1 }).toEqual({
        code: 1,
        stdout: '',
        lines: 1,
      });
      expect(generated('Refused')).toEqual([]);
      return stderr;
    };

    it('for an entity that TypeORM refuses', async () => {
      const restore = editEntity("Column('smallint')", "Column('smallinteger')");
      const stderr = await refused().finally(restore);
      expect(stderr).toContain('The entities cannot be read: Data type "smallinteger" in "Entry.mood"');
    });

    it.each([
      ['export class { up() {', 'cannot be loaded: SyntaxError: '],
      ['export class Other {}', 'must export a class Broken1999999999999'],
    ])('for the migration file %j', async (source, message) => {
      const file = join(project.folder, 'dist/database/migrations/1999999999999-Broken.js');
      writeFileSync(file, source);
      const stderr = await refused().finally(() => rmSync(file));
      expect(stderr).toContain('1999999999999-Broken.js');
      expect(stderr).toContain(message);
    });

    it('for a role that may not create a database', async () => {
      await onServer(`ALTER ROLE ${ROLE} NOCREATEDB`);
      const stderr = await refused().finally(() => onServer(`ALTER ROLE ${ROLE} CREATEDB`));
      expect(stderr).toContain(`ALTER ROLE "${ROLE}" CREATEDB`);
    });
  });

  it('says its usage when given an unknown flag', async () => {
    const { code, stderr } = await migration(['generate', `${MIGRATIONS}/Refused`, '--sideways']);
    expect(code).toBe(2);
    expect(stderr).toContain("unknown option '--sideways'");
    expect(generated('Refused')).toEqual([]);
  });

  it('does not write a name twice', async () => {
    const { code, stderr } = await migration(['generate', `${MIGRATIONS}/EditEntries`]);
    expect(code).toBe(1);
    expect(stderr).toContain('has a migration EditEntries already');
  });
});

describe('on a bare machine', () => {
  it('migration:check starts an embedded PostgreSQL, and leaves nothing of it', async () => {
    const { code } = await migration(['check'], { DATABASE_URL: '' });
    expect(code).toBe(0);
    expect(existsSync(join(project.folder, '.data/postgres'))).toBe(false);
  });

  it('migration:verify does too, and fails and prints the SQL if migrations and entities differ', async () => {
    const restore = editEntity('length: 50', 'length: 60');
    const { code, stdout } = await migration(['verify'], { DATABASE_URL: '' });
    restore();
    expect(code).toBe(1);
    expect(stdout).toMatch(/missing for the entities: ALTER TABLE entries ALTER COLUMN category TYPE/);
    expect(existsSync(join(project.folder, '.data/postgres'))).toBe(false);
  });
});

describe('with a wrong setting', () => {
  it('names it, without a stack', async () => {
    const { code, stderr } = await migration(['run'], { DATABASE_URL: 'mysql://x' });
    expect(code).toBe(78);
    expect(stderr).toContain('DATABASE_URL must be postgres://');
    expect(stderr).not.toMatch(/^\s+at /m);
  });
});

describe('npm run migration:generate where the sources do not compile', () => {
  it.each([
    {
      what: 'an unknown type in an entity',
      file: 'src/entries/entry.entity.ts',
      edit: (code: string) => code.replace('mood!: number', 'mood!: nmber'),
      error: /^src\/entries\/entry\.entity\.ts\(\d+,\d+\): error TS2552: Cannot find name 'nmber'/m,
    },
    {
      what: 'a syntax error in a migration',
      file: 'src/database/migrations/1999999999999-Broken.ts',
      edit: () => 'export class Broken1999999999999 { up( {',
      error: /^src\/database\/migrations\/1999999999999-Broken\.ts\(1,\d+\): error TS/m,
    },
  ])('says where, and writes nothing: $what', async ({ file, edit, error }) => {
    const own = copyProject();
    try {
      const path = join(own.folder, file);
      writeFileSync(path, edit(existsSync(path) ? readFileSync(path, 'utf8') : ''));
      const folder = join(own.folder, 'src/database/migrations');
      const before = readdirSync(folder);
      const program = new Program(
        spawn('npm', ['run', '--silent', 'migration:generate', '--', 'src/database/migrations/Refused'], {
          cwd: own.folder,
          env: { PATH: process.env['PATH'], DATABASE_URL: databaseUrl },
          stdio: ['ignore', 'pipe', 'pipe'],
        }),
      );
      expect((await program.exited).code).toBe(1);
      const said = stripVTControlCharacters(program.stdout + program.stderr);
      expect(said).toMatch(error);
      expect(said).not.toMatch(/^\s+at /m);
      expect(readdirSync(folder)).toEqual(before);
    } finally {
      own.remove();
    }
  });
});
