import { Injectable, Logger, type OnApplicationShutdown } from '@nestjs/common';

/** After this time, ms, every replica refuses an erased user's tokens, and open requests have ended. */
const SETTLED_MS = 2000;

/** Exports and erases the user data of one feature. */
export interface PersonalData {
  /** The property in the export, such as `entries`. */
  readonly section: string;

  /** Yields fragments of JSON; streamed, so it may have any length. */
  export(userId: string): AsyncIterable<string>;

  /** Deletes rows in batches before the user's row. Foreign keys cascade to the rest. */
  eraseRows?(userId: string): Promise<void>;

  /** Removes data outside the database. Called after the user is deleted, and again when open requests have ended. */
  eraseTraces?(userId: string): Promise<void>;
}

/** Features register their user data here, so that exports and erasures are complete. */
@Injectable()
export class PersonalDataService implements OnApplicationShutdown {
  private readonly logger = new Logger('PersonalData');
  private readonly registered: PersonalData[] = [];
  private readonly pending = new Map<NodeJS.Timeout, () => Promise<void>>();

  register(data: PersonalData): void {
    if (this.registered.some(({ section }) => section === data.section)) {
      throw new Error(`Section ${data.section} is already registered`);
    }
    this.registered.push(data);
  }

  /** Yields fragments of one JSON object with a property for each section. */
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

  /** Only logs failures: cached values expire by themselves. */
  private async eraseTracesNow(userId: string): Promise<void> {
    for (const data of this.registered) {
      try {
        await data.eraseTraces?.(userId);
      } catch (error) {
        this.logger.warn(`${data.section}: cached data of an erased user remains until it expires`, error);
      }
    }
  }
}
