import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { Config } from '../config/config.js';
import type { User } from '../users/user.entity.js';
import { toUserBody } from '../users/user.schemas.js';
import { UsersService } from '../users/users.service.js';
import { AccessTokens } from './access-tokens.js';
import type { Register, SignedIn } from './auth.schemas.js';
import { Passwords } from './passwords.js';
import { SessionsService, type Client, type IssuedSession } from './sessions.service.js';

@Injectable()
export class AuthService {
  constructor(
    @InjectDataSource() private readonly dataSource: DataSource,
    private readonly users: UsersService,
    private readonly sessions: SessionsService,
    private readonly passwords: Passwords,
    private readonly accessTokens: AccessTokens,
    private readonly config: Config,
  ) {}

  /** User and session in one transaction: nobody is left with an account and no answer. */
  async register({ email, password, displayName }: Register, client: Client): Promise<SignedIn> {
    const passwordHash = await this.passwords.hash(password);
    const { user, session } = await this.dataSource.transaction(async (manager) => {
      const created = await this.users.create(
        { email, passwordHash, displayName: displayName ?? null },
        manager,
      );
      return { user: created, session: await this.sessions.start(created.id, client, manager) };
    });
    return this.signedIn(user, session);
  }

  /** The user of this e-mail and password; undefined in the same time whichever of the two is wrong. */
  async verify(email: string, password: string): Promise<User | undefined> {
    const user = await this.users.findByEmail(email);
    const matches = await this.passwords.verify(user?.passwordHash, password);
    return user && matches ? user : undefined;
  }

  async login(user: User, client: Client): Promise<SignedIn> {
    return this.signedIn(user, await this.sessions.start(user.id, client));
  }

  async refresh(refreshToken: string): Promise<SignedIn> {
    const session = await this.sessions.refresh(refreshToken);
    return this.signedIn(await this.users.get(session.userId), session);
  }

  private async signedIn(user: User, session: IssuedSession): Promise<SignedIn> {
    return {
      user: toUserBody(user),
      accessToken: await this.accessTokens.sign(user.id, session.sessionId),
      tokenType: 'Bearer',
      expiresIn: this.config.jwt.accessTtlSeconds,
      refreshToken: session.refreshToken,
    };
  }
}
