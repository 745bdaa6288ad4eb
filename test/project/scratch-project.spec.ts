import { execFileSync, spawn } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createDatabase, type TestDatabase } from '../harness/database/database.js';
import { Program } from '../harness/programs/program.js';

const ROOT = resolve(import.meta.dirname, '../..');
const README = readFileSync(join(ROOT, 'src/migrator/README.md'), 'utf8').replaceAll(/^ {3}/gm, '');

const USER = `
import { Column, Entity, PrimaryGeneratedColumn } from 'typeorm';

@Entity()
export class User {
  @PrimaryGeneratedColumn('uuid')
  id!: string;

  @Column('varchar', { length: 10, unique: true })
  email!: string;

  @Column('text', { nullable: true })
  name!: string | null;
}
`;
const POST = `
import { Column, CreateDateColumn, Entity, ManyToOne, PrimaryGeneratedColumn } from 'typeorm';
import { User } from './user.entity.js';

@Entity()
export class Post {
  @PrimaryGeneratedColumn()
  id!: number;

  @ManyToOne(() => User, { nullable: false, onDelete: 'CASCADE' })
  author!: User;

  @Column('enum', { enum: ['draft', 'public'], default: 'draft' })
  state!: 'draft' | 'public';

  // For the types of arrays and enums TypeORM sends parallel queries.
  @Column('text', { array: true, default: '{}' })
  tags!: string[];

  @Column('int', { array: true, default: '{}' })
  ratings!: number[];

  @CreateDateColumn({ type: 'timestamptz' })
  createdAt!: Date;
}
`;

let database: TestDatabase;
let folder: string;

/** A project that consists of what the README says, and of two entities. */
beforeAll(async () => {
  database = await createDatabase();
  folder = mkdtempSync(join(tmpdir(), 'scratch-project-'));
  cpSync(join(ROOT, 'src/migrator'), join(folder, 'src/migrator'), {
    recursive: true,
    filter: (path) => !path.endsWith('.spec.ts'),
  });
  for (const [, name = '', code = ''] of README.matchAll(/^```ts\n\/\/ (\S+)\n([^]*?)^```/gm))
    write(name, code);
  write('src/user.entity.ts', USER);
  write('src/post.entity.ts', POST);
  write('package.json', JSON.stringify({ type: 'module' }));
  write(
    'tsconfig.json',
    JSON.stringify({
      compilerOptions: {
        ...{
          module: 'nodenext',
          target: 'es2023',
          rootDir: 'src',
          outDir: 'dist',
          strict: true,
          incremental: true,
        },
        ...{ experimentalDecorators: true, emitDecoratorMetadata: true, skipLibCheck: true, types: ['node'] },
      },
      include: ['src'],
    }),
  );
  for (const [, packages = ''] of README.matchAll(/^npm install (?:--save-dev )?(.*)$/gm)) {
    for (const name of packages.split(' ')) {
      mkdirSync(dirname(join(folder, 'node_modules', name)), { recursive: true });
      symlinkSync(join(ROOT, 'node_modules', name), join(folder, 'node_modules', name));
    }
  }
});
afterAll(async () => {
  await database.drop();
  rmSync(folder, { recursive: true, force: true });
});

function write(name: string, text: string): void {
  mkdirSync(dirname(join(folder, name)), { recursive: true });
  writeFileSync(join(folder, name), text);
}

function edit(name: string, from: string, to: string): void {
  const text = readFileSync(join(folder, name), 'utf8');
  expect(text).toContain(from);
  write(name, text.replace(from, to));
}

function build(): void {
  try {
    const compiler = join(ROOT, 'node_modules/typescript7/bin/tsc');
    execFileSync(process.execPath, [compiler], { cwd: folder, encoding: 'utf8' });
  } catch (error) {
    throw new Error((error as { stdout: string }).stdout, { cause: error });
  }
}

async function run(args: readonly string[]) {
  const env = { PATH: process.env['PATH'], DATABASE_URL: database.url };
  const program = new Program(
    spawn(process.execPath, args, { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] }),
  );
  const { code } = await program.exited;
  return { code, stdout: program.stdout, stderr: program.stderr };
}

const migrate = (...args: string[]) => run(['dist/migrate.js', ...args]);

/** Starts the project, and runs statements that use its \`dataSource\`. */
async function start(statements: string): Promise<unknown> {
  const { code, stdout, stderr } = await run([
    '--input-type=module',
    '--eval',
    `import { dataSource } from './dist/main.js';
     const print = (value) => console.log('RESULT ' + JSON.stringify(value));
     ${statements}
     await dataSource.destroy();`,
  ]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return JSON.parse(/^RESULT (.*)$/m.exec(stdout)?.[1] ?? 'null') as unknown;
}

describe('a project that has adopted the migrator as its README says', () => {
  it('generates its schema, migrates at its start, and keeps its rows through later edits', async () => {
    build();
    expect(await migrate('generate', 'src/migrations/Start')).toMatchObject({ code: 0, stderr: '' });
    build();
    await start(`
      const author = await dataSource.getRepository('User').save({ email: 'a@b.org', name: 'Ada' });
      await dataSource.getRepository('Post').save([{ author, state: 'public' }, { author }]);`);
    expect(await migrate('check')).toMatchObject({ code: 0, stderr: '' });

    edit('src/user.entity.ts', 'length: 10', 'length: 100');
    edit('src/user.entity.ts', 'name!:', 'fullName!:');
    edit('src/post.entity.ts', "['draft', 'public']", "['draft', 'public', 'hidden']");
    build();
    expect((await migrate('check')).code).toBe(1);
    const asked = await migrate('generate', 'src/migrations/Rename');
    expect(asked.code).toBe(2);
    expect(asked.stderr).toContain('--rename user.name:fullName');
    const answered = await migrate('generate', 'src/migrations/Rename', '--rename', 'user.name:fullName');
    expect(answered).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('src/migrations/'),
      stderr: '',
    });
    build();
    expect(
      await start(`
        await dataSource.getRepository('User').save({ email: 'bob.the.second@example.org', fullName: 'Bob' });
        print([
          await dataSource.getRepository('User').find({ select: { email: true, fullName: true }, order: { email: 'ASC' } }),
          await dataSource.getRepository('Post').find({ select: { state: true }, order: { id: 'ASC' } }),
        ]);`),
    ).toEqual([
      [
        { email: 'a@b.org', fullName: 'Ada' },
        { email: 'bob.the.second@example.org', fullName: 'Bob' },
      ],
      [{ state: 'public' }, { state: 'draft' }],
    ]);

    const lint = ['node_modules/tsx/dist/cli.mjs', 'src/migrator/lint/cli.ts', '--folder', 'src/migrations'];
    expect(await run(lint)).toMatchObject({
      stdout: expect.stringMatching(/^migration lint: \d+ migrations, /m),
      stderr: '',
    });
    expect(await migrate('verify', '--json')).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('"faults":[]'),
      stderr: expect.not.stringContaining('Warning'),
    });
    expect((await migrate('status')).stdout).toMatch(/, 0 pending; this is release unknown$/m);
    expect((await migrate()).stderr).toMatch(/^Usage: node dist\/migrate.js /);
  }, 300_000);
});
