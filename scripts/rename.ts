import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './environment.js';
import { ExplainedError, explain } from './explained-error.js';

/**
 * `npm run rename -- my-service`: makes the repository a service of that name. package.json has the name; tokens, Redis keys,
 * connections and the API's documentation follow it. Compose gets a project and a database of that name.
 */

const NAME = /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/;

/** The longest identifier of PostgreSQL. */
const MOST_CHARACTERS = 63;

try {
  const [name = ''] = process.argv.slice(2);
  rename(name);
} catch (error) {
  console.error(`npm run rename: ${explain(error)}`);
  process.exitCode = 1;
}

function rename(name: string): void {
  if (!NAME.test(name) || name.length > MOST_CHARACTERS)
    throw new ExplainedError(
      'give a name such as my-service: lower-case letters, digits and single hyphens, 63 at most',
    );
  const { name: old } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { name: string };
  const [oldDatabase, database] = [old, name].map((each) => each.replaceAll('-', '_')) as [string, string];
  edit('package.json', [[`"name": "${old}"`, `"name": "${name}"`]]);
  edit('package-lock.json', [[`"name": "${old}"`, `"name": "${name}"`]]);
  edit('Dockerfile', [[`image.title="${old}"`, `image.title="${name}"`]]);
  edit('.devcontainer/devcontainer.json', [[`"name": "${old}"`, `"name": "${name}"`]]);
  edit('docs/openapi.json', [[`"title": "${old}"`, `"title": "${name}"`]]);
  edit('client/package.json', [[`"name": "${old}-client"`, `"name": "${name}-client"`]]);
  edit('client/README.md', [[`${old}-client`, `${name}-client`]]);
  edit('README.md', [[`# ${old}\n`, `# ${name}\n`]]);
  const example = (each: string) => `postgres://${each}:password@localhost:5432/${each}`;
  edit('src/config/config.schema.ts', [
    [example(oldDatabase), example(database)],
    [`optional(z.string(), '${oldDatabase}')`, `optional(z.string(), '${database}')`],
  ]);
  edit('docker-compose.yml', [
    [`name: ${old}\n`, `name: ${name}\n`],
    ...['PGUSER: ', 'PGDATABASE: ', 'DB_USER: ', 'DB_NAME: ', 'POSTGRES_USER: ', 'POSTGRES_DB: '].map(
      (key): [string, string] => [`${key}${oldDatabase}\n`, `${key}${database}\n`],
    ),
    [`--username=${oldDatabase}, --dbname=${oldDatabase}`, `--username=${database}, --dbname=${database}`],
  ]);
  console.log(`${old} is ${name} now. Next: npm run docs:configuration, and edit README.md and CHANGELOG.md`);
  console.log(`Compose starts with new volumes; those of the project ${old} are kept, and no longer used`);
}

/** @throws {ExplainedError} if the file does not have one of the texts */
function edit(name: string, replacements: readonly (readonly [from: string, to: string])[]): void {
  const file = join(ROOT, name);
  let text = readFileSync(file, 'utf8');
  for (const [from, to] of replacements) {
    if (!text.includes(from)) throw new ExplainedError(`${name} does not contain ${JSON.stringify(from)}`);
    text = text.replaceAll(from, to);
  }
  writeFileSync(file, text);
}
