import { Injectable } from '@nestjs/common';
import { hash, verify } from '@node-rs/argon2';

/** `Algorithm.Argon2id`: a const enum, which isolated modules cannot import. */
const ARGON2ID = 2;

/** OWASP Password Storage Cheat Sheet, 2024: argon2id with 19 MiB of memory, 2 passes, 1 lane. */
const PARAMETERS = { algorithm: ARGON2ID, memoryCost: 19_456, timeCost: 2, parallelism: 1 };

@Injectable()
export class Passwords {
  /** Verified where there is no account, so that an unknown e-mail takes as long as a wrong password. */
  private readonly decoy = hash('the password of nobody', PARAMETERS);

  hash(password: string): Promise<string> {
    return hash(password, PARAMETERS);
  }

  /** @param stored is undefined where there is no account; the answer is false then, and takes as long */
  async verify(stored: string | undefined, password: string): Promise<boolean> {
    const matches = await verify(stored ?? (await this.decoy), password);
    return matches && stored !== undefined;
  }
}
