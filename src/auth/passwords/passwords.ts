import { Injectable } from '@nestjs/common';
import { hash, verify } from '@node-rs/argon2';
import { Config } from '../../config/config.js';
import { HashSlots } from './hash-slots.js';

/** `Algorithm.Argon2id`: a const enum, which isolated modules cannot import. */
const ARGON2ID = 2;

/** The PHC string format, https://github.com/P-H-C/phc-string-format */
const PHC = /^\$argon2id\$v=19\$m=(\d+),t=(\d+),p=\d+\$/;

/** Hashes passwords by argon2id (RFC 9106), a few at once. */
@Injectable()
export class Passwords {
  private readonly parameters: {
    readonly algorithm: typeof ARGON2ID;
    readonly memoryCost: number;
    readonly timeCost: number;
    readonly parallelism: number;
  };
  private readonly slots: HashSlots;

  /** Verified where there is no account, so that an unknown e-mail takes as long as a wrong password. */
  private readonly decoy: Promise<string>;

  constructor({ passwords }: Config) {
    const { memoryKib, timeCost, parallelism, concurrency } = passwords;
    this.parameters = { algorithm: ARGON2ID, memoryCost: memoryKib, timeCost, parallelism };
    this.slots = new HashSlots(concurrency);
    this.decoy = hash('the password of nobody', this.parameters);
  }

  /** Hashes and verifications that run, and that wait their turn. */
  get queue(): { readonly running: number; readonly waiting: number } {
    return this.slots.state;
  }

  /** @throws {ServiceUnavailableException} when too many wait already */
  hash(password: string): Promise<string> {
    return this.slots.run(() => hash(password, this.parameters));
  }

  /**
   * @param stored is undefined where there is no account; the answer is false then, and takes as long
   * @throws {ServiceUnavailableException} when too many wait already
   */
  async verify(stored: string | undefined, password: string): Promise<boolean> {
    const hashed = stored ?? (await this.decoy);
    const matches = await this.slots.run(() => verify(hashed, password));
    return matches && stored !== undefined;
  }

  /** Whether a stored hash was made with less than what is configured now. */
  isWeak(stored: string): boolean {
    const [, memoryKib, timeCost] = PHC.exec(stored) ?? [];
    return !(Number(memoryKib) >= this.parameters.memoryCost && Number(timeCost) >= this.parameters.timeCost);
  }
}
