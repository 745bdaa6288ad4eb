import { Injectable } from '@nestjs/common';
import { hash, verify } from '@node-rs/argon2';
import { Config } from '../../config/config.js';
import { HashSlots } from './hash-slots.js';

/** `Algorithm.Argon2id`, a const enum that isolated modules cannot import. */
const ARGON2ID = 2;

/** The PHC string format, https://github.com/P-H-C/phc-string-format */
const PHC = /^\$argon2id\$v=19\$m=(\d+),t=(\d+),p=\d+\$/;

/** Hashes passwords with argon2id (RFC 9106), a few at a time. */
@Injectable()
export class PasswordsService {
  private readonly parameters: {
    readonly algorithm: typeof ARGON2ID;
    readonly memoryCost: number;
    readonly timeCost: number;
    readonly parallelism: number;
  };
  private readonly slots: HashSlots;

  /** Verified for an unknown e-mail, so that it takes as long as a wrong password. */
  private readonly dummyHash: Promise<string>;

  constructor(config: Config) {
    this.parameters = {
      algorithm: ARGON2ID,
      memoryCost: config.ARGON2_MEMORY_KIB,
      timeCost: config.ARGON2_TIME_COST,
      parallelism: config.ARGON2_PARALLELISM,
    };
    this.slots = new HashSlots(config.ARGON2_CONCURRENCY);
    this.dummyHash = hash('the password of nobody', this.parameters);
  }

  get queue(): { readonly running: number; readonly waiting: number } {
    return this.slots.state;
  }

  /** @throws {ServiceUnavailableException} if too many wait */
  hash(password: string): Promise<string> {
    return this.slots.run(() => hash(password, this.parameters));
  }

  /**
   * @param stored undefined if there is no account; returns false after the same time
   * @throws {ServiceUnavailableException} if too many wait
   */
  async verify(stored: string | undefined, password: string): Promise<boolean> {
    const hashed = stored ?? (await this.dummyHash);
    const matches = await this.slots.run(() => verify(hashed, password));
    return matches && stored !== undefined;
  }

  /** Whether a stored hash has weaker parameters than the configured ones. */
  isWeak(stored: string): boolean {
    const [, memoryKib, timeCost] = PHC.exec(stored) ?? [];
    return !(Number(memoryKib) >= this.parameters.memoryCost && Number(timeCost) >= this.parameters.timeCost);
  }
}
