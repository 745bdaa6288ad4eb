import { expect } from '@jest/globals';
import { migrate } from '../database/backups.js';
import { createDatabase, type TestDatabase } from '../database/database.js';
import { copyBuild, type BuildCopy, type MigrationSources } from './build-copy.js';
import { Program } from './program.js';

/** Releases of the service, with other migrations than this one's, that boot on one database. */
export class Releases {
  private readonly builds: BuildCopy[] = [];
  private readonly programs: Program[] = [];

  private constructor(readonly database: TestDatabase) {}

  /** @param template of the database, which is empty without it */
  static async create(template?: TestDatabase): Promise<Releases> {
    return new Releases(await createDatabase(template?.name));
  }

  /** Also kills what still runs. */
  async remove(): Promise<void> {
    await Promise.all(this.programs.map((program) => program.stop('SIGKILL')));
    for (const build of this.builds) build.remove();
    await this.database.drop();
  }

  /** This release with more migrations. */
  build(add: MigrationSources): BuildCopy {
    const build = copyBuild(add);
    this.builds.push(build);
    return build;
  }

  /** @param build this release without it */
  boot(build?: BuildCopy, environment: Readonly<Record<string, string>> = {}): Program {
    const program = Program.start(
      { DATABASE_URL: this.database.url, DB_POOL_SIZE: '2', ...environment },
      build?.program,
    );
    this.programs.push(program);
    return program;
  }

  /** Brings the database to the schema of a build, without starting the service. */
  async migrateTo(build: BuildCopy): Promise<void> {
    expect(await migrate(this.database.url, build)).toMatchObject({ code: 0 });
  }

  async migrationNames(): Promise<string[]> {
    const rows = await this.database.query<{ name: string }>('SELECT name FROM migrations ORDER BY id');
    return rows.map(({ name }) => name);
  }

  async columnsOf(table: string): Promise<string[]> {
    const rows = await this.database.query<{ name: string }>(
      `SELECT attname AS name FROM pg_attribute WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped`,
      [table],
    );
    return rows.map(({ name }) => name);
  }
}

/** What a program logged as an error or wrote to stderr. */
export const errorsOf = ({ lines, stderr }: Program) => [
  ...lines.filter(({ level }) => level === 'error' || level === 'fatal'),
  ...(stderr === '' ? [] : [stderr]),
];
