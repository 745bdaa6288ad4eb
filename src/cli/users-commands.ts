import type { Command } from 'commander';

const USERS_ACTIONS = {
  promote: 'make a user an administrator',
  demote: 'make an administrator a user',
  disable: 'end all sessions of a user and refuse new ones',
  enable: 'let a disabled user sign in again',
  'reset-password': 'make the password void, end all sessions, and print a link to set a new one',
  'remove-second-factor': 'for a user who lost the app and the recovery codes',
  erase: 'erase a user and all their data permanently',
} as const;
export type UsersAction = keyof typeof USERS_ACTIONS;

export interface UserCommand {
  readonly action: UsersAction;
  readonly email: string;
}

export interface UsersListCommand {
  readonly action: 'list';
  /** Part of an e-mail address or a display name. */
  readonly q?: string;
}

export type UsersCommand = UserCommand | UsersListCommand;

/** Adds `users …` to the command line. */
export function addUsersCommands(
  program: Command,
  emailOf: (value: string) => string,
  run: (command: UsersCommand) => Promise<void>,
): void {
  const users = program.command('users').description('administer users');
  users
    .command('list')
    .description('list users, newest first: e-mail address, role, state, time of registration and id')
    .argument('[text]', 'only those with this in their e-mail address or name')
    .action((q: string | undefined) => run({ action: 'list', ...(q !== undefined && { q }) }));
  for (const [action, description] of Object.entries(USERS_ACTIONS) as [UsersAction, string][]) {
    const command = users
      .command(action)
      .description(description)
      .argument('<email>', "the user's e-mail address", emailOf);
    if (action === 'erase') command.requiredOption('--yes', 'needed, because it cannot be undone');
    command.action((email: string) => run({ action, email }));
  }
}
