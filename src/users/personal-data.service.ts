import type { Readable } from 'node:stream';
import { Injectable, Logger, type OnApplicationShutdown } from '@nestjs/common';
import { Admission } from '../http/overload/admission.js';
import { OpenRequests } from '../http/connections/open-requests.js';
import { streamAnswer } from '../http/streaming/streamed-answer.js';

/** In which an erased user's tokens are refused everywhere, and what was under way has ended, ms. */
const SETTLED_MS = 2000;

/** A download that is not read holds some 2 MiB. */
const DOWNLOADS = { perUser: 2, inAll: 20, what: 'exports', retryAfterSeconds: 10 };

/** What one feature holds of its users, and how it lets go of it. */
export interface PersonalData {
  /** The member of the export, such as `entries`. */
  readonly section: string;

  /** All of it, piece by piece, each a JSON text. What is yielded is not kept: it may be of any length. */
  export(userId: string): AsyncIterable<string>;

  /**
   * Removes most of a user's rows before the user's own, in batches, where one statement would take too long. What it
   * leaves goes with the user, by foreign keys that cascade.
   */
  eraseRows?(userId: string): Promise<void>;

  /** Removes what is not in the database. Called after the user is gone, and once more when nothing is under way. */
  eraseTraces?(userId: string): Promise<void>;
}

/** Where each feature registers what it holds of a user, so that nothing is left out of an export or an erasure. */
@Injectable()
export class PersonalDataService implements OnApplicationShutdown {
  private readonly logger = new Logger('PersonalData');
  private readonly registered: PersonalData[] = [];
  private readonly downloads = new Admission(DOWNLOADS);
  private readonly pending = new Map<NodeJS.Timeout, () => Promise<void>>();

  constructor(private readonly requests: OpenRequests) {}

  register(data: PersonalData): void {
    if (this.registered.some(({ section }) => section === data.section)) {
      throw new Error(`there is a section ${data.section} already`);
    }
    this.registered.push(data);
  }

  /** A download of {@link export}. Throws as {@link Admission.admit} does. */
  download(userId: string, first: Readonly<Record<string, unknown>>): Readable {
    const ended = this.downloads.admit(userId);
    return streamAnswer(this.export(userId, first), { brokenOff: this.requests.brokenOff, ended });
  }

  /** One JSON object, piece by piece: a member for each section. */
  async *export(userId: string, first: Readonly<Record<string, unknown>>): AsyncGenerator<string> {
    yield JSON.stringify(first).slice(0, -1);
    for (const data of this.registered) {
      yield `,${JSON.stringify(data.section)}:[`;
      let separator = '';
      for await (const json of data.export(userId)) {
        yield separator + json;
        separator = ',';
      }
      yield ']';
    }
    yield '}';
  }

  async eraseRows(userId: string): Promise<void> {
    for (const data of this.registered) await data.eraseRows?.(userId);
  }

  async eraseTraces(userId: string): Promise<void> {
    await this.eraseTracesNow(userId);
    const again = () => this.eraseTracesNow(userId);
    const timer = setTimeout(() => {
      this.pending.delete(timer);
      void again();
    }, SETTLED_MS).unref();
    this.pending.set(timer, again);
  }

  async onApplicationShutdown(): Promise<void> {
    for (const [timer, again] of this.pending) {
      clearTimeout(timer);
      await again();
    }
    this.pending.clear();
  }

  /** Does not fail: what is cached expires by itself. */
  private async eraseTracesNow(userId: string): Promise<void> {
    for (const data of this.registered) {
      try {
        await data.eraseTraces?.(userId);
      } catch (error) {
        this.logger.warn(`${data.section}: traces of an erased user are left until they expire`, error);
      }
    }
  }
}
