import { spawn } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Program } from '../../harness/programs/program.js';
import { copyProject, type ProjectCopy } from '../../harness/programs/project-copy.js';

describe('npm run migration:lint', () => {
  let project: ProjectCopy;

  beforeAll(() => {
    project = copyProject();
  });
  afterAll(() => project.remove());

  function writeMigration(file: string, source: string): void {
    writeFileSync(join(project.folder, 'src/database/migrations', file), source);
  }

  async function run(...args: readonly string[]): Promise<Program & { code: number | null }> {
    const program = new Program(
      spawn(process.execPath, ['--import', 'tsx', 'src/migrator/lint/cli.ts', ...args], {
        cwd: project.folder,
        env: { PATH: process.env['PATH'] },
        stdio: ['ignore', 'pipe', 'pipe'],
      }),
    );
    const { code } = await program.exited;
    return Object.assign(program, { code });
  }

  it("passes the project's own migrations", async () => {
    const { code, stdout, stderr } = await run();
    expect(stderr).toBe('');
    expect(stdout).toMatch(/^migration lint: \d+ migrations, \d+ statements, 0 findings, \d+ waived\n$/);
    expect(code).toBe(0);
  });

  it.each([
    ['DropTags.ts', 'must be named <13 digits>-<Name>.ts'],
    ['1999999999998-DropTags.ts', 'must export a class DropTags1999999999998'],
  ])('names a file that is not a migration: %s', async (file, problem) => {
    writeMigration(file, '');
    const { code, stderr } = await run();
    rmSync(join(project.folder, 'src/database/migrations', file));
    expect(code).toBe(2);
    expect(stderr).toContain(`${file} ${problem}`);
    expect(stderr).not.toMatch(/^\s+at /m);
  });

  describe('with a migration that has a finding', () => {
    const FILE = '1999999999999-DropTags.ts';

    beforeAll(() => {
      writeMigration(
        FILE,
        `export class DropTags1999999999999 {
  async up(queryRunner) {
    await queryRunner.query(\`ALTER TABLE "entries" DROP COLUMN "tags"\`);
  }
  async down(queryRunner) {
    await queryRunner.query(\`ALTER TABLE "entries" ADD "tags" text array NOT NULL DEFAULT '{}'\`);
  }
}
`,
      );
    });

    it('prints the finding and exits with 1', async () => {
      const { code, stdout } = await run();
      expect(code).toBe(1);
      expect(stdout).toContain(
        `src/database/migrations/${FILE}:3  drop-column  ALTER TABLE "entries" DROP COLUMN "tags"`,
      );
    });

    it('prints JSON with --json', async () => {
      const { code, stdout } = await run('--json');
      expect(code).toBe(1);
      expect(JSON.parse(stdout)).toMatchObject({
        findings: [{ file: FILE, line: 3, rule: 'drop-column', detail: 'entries.tags' }],
        waived: expect.not.arrayContaining([expect.objectContaining({ file: FILE })]),
      });
    });

    it('reports only the files that are named', async () => {
      expect(await run(`src/database/migrations/${FILE}`)).toMatchObject({ code: 1 });
      expect(await run('src/database/migrations/1795555381378-AddEntryTags.ts')).toMatchObject({ code: 0 });
      const { code, stderr } = await run('src/database/migrations/1-None.ts');
      expect(code).toBe(2);
      expect(stderr).toContain('no migration 1-None.ts');
    });
  });
});
