import type { INestApplication } from '@nestjs/common';
import { destination, pino, type Logger } from 'pino';
import { AdminService } from '../admin/admin.service.js';
import { RecoveryService } from '../auth/recovery/recovery.service.js';
import type { Config } from '../config/config.js';
import type { User } from '../users/user.entity.js';
import { runCommand, userOf } from './run-command.js';
import type { UserCommand, UsersAction, UsersCommand, UsersListCommand } from './users-commands.js';

const PAGE = 100;

/**
 * Runs a command in the whole application without its port: an erasure needs what every feature knows of a user.
 *
 * @param createApp of `app.setup.ts`
 */
export function runUsersCommand(
  command: UsersCommand,
  config: Config,
  createApp: (config: Config, logger: Logger) => Promise<INestApplication>,
): Promise<void> {
  const logger = pino({ level: 'warn' }, destination({ dest: 2, sync: true }));
  return runCommand(
    config,
    () => createApp(config, logger),
    async (app) => {
      await app.init();
      await (command.action === 'list' ? list(app, command) : administer(app, command));
    },
  );
}

async function list(app: INestApplication, { q }: UsersListCommand): Promise<void> {
  const admin = app.get(AdminService);
  for (let cursor: string | null | undefined; cursor !== null;) {
    const page = await admin.list({ q, limit: PAGE, cursor });
    for (const { id, email, role, disabledAt, createdAt } of page.users)
      console.log([email, role, disabledAt === null ? 'enabled' : 'disabled', createdAt, id].join('\t'));
    cursor = page.nextCursor;
  }
}

async function administer(app: INestApplication, { action, email }: UserCommand): Promise<void> {
  console.error(await ACTIONS[action](app, await userOf(app, email)));
}

/** Each returns what it did. */
const ACTIONS: Readonly<Record<UsersAction, (app: INestApplication, user: User) => Promise<string>>> = {
  async promote(app, { id, email }) {
    await app.get(AdminService).update(id, { role: 'admin' }, 'operator');
    return `${email} is an administrator`;
  },
  async demote(app, { id, email }) {
    await app.get(AdminService).update(id, { role: 'user' }, 'operator');
    return `${email} is no administrator`;
  },
  async disable(app, { id, email }) {
    await app.get(AdminService).update(id, { disabled: true }, 'operator');
    return `${email} is disabled, and all sessions are ended`;
  },
  async enable(app, { id, email }) {
    await app.get(AdminService).update(id, { disabled: false }, 'operator');
    return `${email} is enabled`;
  },
  async 'reset-password'(app, user) {
    console.log(await app.get(RecoveryService).resetByOperator(user));
    return `the password of ${user.email} is void, and all sessions are ended; this link sets a new one, once, within an hour
without a front end, send what follows #token= to POST /auth/reset-password`;
  },
  async 'remove-second-factor'(app, { id, email }) {
    await app.get(AdminService).removeSecondFactor(id, 'operator');
    return `${email} signs in with the password alone`;
  },
  async erase(app, { id, email }) {
    await app.get(AdminService).erase(id);
    return `${email} is erased`;
  },
};
