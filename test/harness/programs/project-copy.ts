import { chmodSync, cpSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const COPIED = [
  'scripts',
  'src',
  'package.json',
  'nest-cli.json',
  'tsconfig.json',
  'tsconfig.build.json',
  '.prettierrc.json',
];

export interface ProjectCopy {
  readonly folder: string;
  remove(): void;
}

/**
 * The project as it is after `npm run build`, in a folder of its own: what its scripts keep there is theirs alone.
 *
 * @param dist the build; the bundle starts in a third of the processor time
 */
export function copyProject(dist = process.env['TEST_BUILD']!): ProjectCopy {
  const project = resolve(import.meta.dirname, '../../..');
  const folder = mkdtempSync(join(tmpdir(), 'entries-project-'));
  // Started by root, PostgreSQL runs as another user, who must get in.
  chmodSync(folder, 0o755);
  for (const name of COPIED) cpSync(join(project, name), join(folder, name), { recursive: true });
  cpSync(dist, join(folder, 'dist'), { recursive: true });
  symlinkSync(join(project, 'node_modules'), join(folder, 'node_modules'));
  return {
    folder,
    remove: () => rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 }),
  };
}
