import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { MigrationError } from '../migrator-errors.js';
import { parseAnswers, type Answers, type Question } from '../generate/answers.js';
import { generateMigration, type Generated } from '../generate/generate-migration.js';
import type { MigrationLog } from '../migration-log.js';
import type { MigratorOptions } from '../migrator-options.js';
import { append, type CommandGroup, type Context, type Report } from './command.js';

const EXIT_QUESTIONS = 2;

/** Each may be given several times. */
const ANSWERS = ['rename', 'drop', 'lossy', 'fill', 'keep', 'in-place'] as const;

type Given = Readonly<Partial<Record<(typeof ANSWERS)[number], readonly string[]>>>;

/** Formats the files that were written. */
type Format = (files: readonly string[]) => Promise<unknown>;

/**
 * For whom edits entities.
 *
 * @param usage how `generate` is called, with the path of a migration
 */
export function develop(usage: string, format: Format = () => Promise.resolve()): CommandGroup {
  return (add, context) => {
    const command = add(
      'generate',
      'write the migrations from the present ones to what the entities describe',
      (command) => {
        const { inPlace = [], ...given } = command.opts<Given & { readonly inPlace?: readonly string[] }>();
        return generate(context, command.args[0], { ...given, 'in-place': inPlace }, usage, format);
      },
    ).argument('[path]', 'folder and name, such as src/migrations/AddWeather');
    for (const flag of ANSWERS)
      command.option(`--${flag} <answer>`, 'answers a question that it asks', append);
    add('check', 'fail where the migrations do not make what the entities describe', () =>
      check(context, usage),
    );
  };
}

async function generate(
  { withOptions, log }: Context,
  path = '',
  given: Given,
  usage: string,
  format: Format,
): Promise<Report> {
  if (!/\/[A-Za-z][A-Za-z0-9]*$/.test(path)) {
    throw new MigrationError(`the new migration needs a name of letters and digits: ${usage}`);
  }
  const [folder, name] = [dirname(path), basename(path)];
  if (existsSync(folder) && readdirSync(folder).some((file) => file.endsWith(`-${name}.ts`))) {
    throw new MigrationError(`${folder} has a migration ${name} already: give the new one another name`);
  }
  const isInteractive = process.stdin.isTTY && process.stdout.isTTY;
  const result = await withOptions((options) => compare(options, log, name, given, isInteractive));
  const { questions, migrations, phantoms, notes } = result;
  if (questions.length > 0) {
    console.error(describeQuestions(questions));
    return { lines: [], json: { files: [], questions }, exitCode: EXIT_QUESTIONS };
  }
  if (migrations.length === 0) {
    return {
      lines: [
        'nothing to generate, the entities describe what the migrations make',
        ...describePhantoms(phantoms),
      ],
      json: { files: [], phantoms },
      exitCode: 1,
    };
  }
  mkdirSync(folder, { recursive: true });
  const files = migrations.map(({ file, source }) => {
    const target = join(folder, file);
    writeFileSync(target, source, { flag: 'wx' });
    return target;
  });
  await format(files);
  return {
    lines: [
      ...files.map((file) => `${file} generated: read it, and commit it with the entity`),
      ...notes.map((note) => `note: ${note}`),
    ],
    json: { files, notes },
  };
}

async function check({ withOptions, log }: Context, usage: string): Promise<Report> {
  const result = await withOptions((options) => compare(options, log, 'Missing', {}, false));
  const { questions, migrations, phantoms } = result;
  if (questions.length === 0 && migrations.length === 0) {
    return {
      lines: ['they make what the entities describe', ...describePhantoms(phantoms)],
      json: { questions, phantoms },
    };
  }
  if (questions.length > 0) console.error(describeQuestions(questions));
  console.error(`they do not make what the entities describe: ${usage}`);
  return {
    lines: migrations.map(({ source }) => source),
    json: { questions, missing: migrations.map(({ source }) => source) },
    exitCode: 1,
  };
}

/** On a terminal it asks what only a person knows, and tries again with the answers. */
async function compare(
  options: MigratorOptions,
  log: MigrationLog,
  name: string,
  given: Given,
  isInteractive: boolean,
): Promise<Generated> {
  const result = await generateMigration(options, log, {
    name,
    timestamp: Date.now(),
    answers: answersOf(given),
  });
  if (!isInteractive || result.questions.length === 0) return result;
  const added: Record<string, readonly string[]> = { ...given };
  for (const question of result.questions) {
    const [flag, value] = await ask(question);
    added[flag] = [...(added[flag] ?? []), value];
  }
  return compare(options, log, name, added, isInteractive);
}

function answersOf(given: Given): Answers {
  try {
    return parseAnswers(given);
  } catch (error) {
    throw new MigrationError((error as Error).message, { cause: error });
  }
}

/** @returns the name of the flag, and its value */
async function ask({ text, choices }: Question): Promise<[flag: string, value: string]> {
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  try {
    console.log(`\n${text}`);
    for (const [index, { flag, effect }] of choices.entries())
      console.log(`  ${index + 1}  ${flag}: ${effect}`);
    for (;;) {
      const reply = (await terminal.question(`1–${choices.length}, or q to write nothing: `)).trim();
      if (reply === 'q') throw new MigrationError('nothing was written');
      const [, flag, quoted] = /^--([\w-]+) (.+)$/.exec(choices[Number(reply) - 1]?.flag ?? '') ?? [];
      if (flag === undefined || quoted === undefined) continue;
      const value = quoted.replace(/^"(.*)"$/, '$1');
      if (!value.endsWith('<SQL expression>')) return [flag, value];
      const sql = await terminal.question("SQL expression, for example 'none': ");
      return [flag, value.replace('<SQL expression>', () => sql)];
    }
  } finally {
    terminal.close();
  }
}

function describeQuestions(questions: readonly Question[]): string {
  const lines = questions.flatMap(({ text, choices }) => [
    `- ${text}`,
    ...choices.map(({ flag, effect }) => `    ${flag}  ${effect}`),
  ]);
  return ['the entities leave something open; run the command again with one flag for each:', ...lines].join(
    '\n',
  );
}

function describePhantoms([first, ...others]: readonly string[]): string[] {
  if (first === undefined) return [];
  return [`left out, as they change nothing: ${others.length + 1} statements of TypeORM's, such as ${first}`];
}
