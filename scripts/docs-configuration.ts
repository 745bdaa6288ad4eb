import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import prettier from 'prettier';
import { describeVariable, environmentSchema } from '../src/config/config.schema.js';

/**
 * `npm run docs:configuration`: writes docs/configuration.md and .env.example from the schema of the configuration. With
 * `--check`, it writes nothing and exits 1 if one of them is out of date.
 */

/** The sections, by their first variable. */
const TITLES: Readonly<Record<string, string>> = {
  NODE_ENV: 'Service',
  DATABASE_URL: 'PostgreSQL',
  MIGRATIONS_RUN: 'Migrations',
  REDIS_URL: 'Redis',
  JWT_SECRET: 'Tokens',
  ARGON2_MEMORY_KIB: 'Passwords (argon2id)',
  SMTP_URL: 'Mail',
  REQUIRE_VERIFIED_EMAIL: 'What an account needs',
  RATE_LIMIT_ENABLED: 'Rate limits, per minute',
  LOG_LEVEL: 'Observability',
};

/** Not commented out in .env.example, because nothing starts without them. */
const REQUIRED = ['DATABASE_URL', 'JWT_SECRET'];

type Variable = NonNullable<ReturnType<typeof describeVariable>>;

const variables = Object.keys(environmentSchema.shape).flatMap((name) => describeVariable(name) ?? []);
const secrets = variables.filter(({ secret }) => secret).map(({ name }) => `\`${name}\``);

const PAGE = `# Configuration

For operators: every environment variable that the service reads. \`npm run docs:configuration\` writes this page and
[.env.example](../.env.example) from [the schema](../src/config/config.schema.ts).

- An empty variable counts as not set.
- In development, \`.env\` in the project's folder is read too. The environment overrides it.
- If anything is invalid, the process prints every fault with its reason and an example, and exits with code 78.
- A secret can be read from a file, as Docker and Kubernetes mount them: set \`NAME_FILE\` to its path instead of \`NAME\`.
  The secrets are ${secrets.join(', ')}.
- PostgreSQL and Redis can be set as a URL or in parts. If both are set, they must agree.

${variables.map((variable) => `${heading(variable, tableHead)}${row(variable)}`).join('\n')}
`;

const EXAMPLE = `# Copy this file to .env, which is read in development. The environment overrides it. A line that is commented out shows
# the default, or an example. Put a value with # or a space in single quotes. \`npm run docs:configuration\` writes this file.
#
# A secret can be read from a file: set NAME_FILE=/run/secrets/name instead of NAME. docs/configuration.md has the list.
${variables.map((variable) => `${heading(variable, (title) => `\n# --- ${title} ---\n\n`)}${setting(variable)}`).join('\n')}
`;

function heading({ name }: Variable, render: (title: string) => string): string {
  const title = TITLES[name];
  return title === undefined ? '' : render(title);
}

function tableHead(title: string): string {
  return `\n## ${title}\n\n| variable | default | |\n| --- | --- | --- |\n`;
}

function row(variable: Variable): string {
  const value = variable.default && `\`${variable.default}\``;
  return `| \`${variable.name}\` | ${REQUIRED.includes(variable.name) ? 'required' : value} | ${variable.description} |`;
}

function setting(variable: Variable): string {
  const value = variable.default || variable.example;
  const line = `${variable.name}=${/[#\s]/.test(value) ? `'${value}'` : value}`;
  return `# ${variable.description.replaceAll('`', '')}\n${REQUIRED.includes(variable.name) ? '' : '# '}${line}`;
}

const root = join(import.meta.dirname, '..');
const options = await prettier.resolveConfig(join(root, 'docs/configuration.md'));
const files = {
  'docs/configuration.md': await prettier.format(PAGE, { ...options, parser: 'markdown' }),
  '.env.example': EXAMPLE,
};
for (const [name, text] of Object.entries(files)) {
  const path = join(root, name);
  if (!process.argv.includes('--check')) {
    writeFileSync(path, text);
  } else if (readFileSync(path, 'utf8') !== text) {
    console.error(`${name} is out of date: run npm run docs:configuration`);
    process.exitCode = 1;
  }
}
