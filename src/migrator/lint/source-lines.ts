/** Characters that distinguish a statement from the others, if the source does not contain all of it. */
const ENOUGH = 24;

/**
 * Finds the lines of a migration's source on which its statements begin. White space is ignored, because a
 * formatter changes it. Statements must be looked up in the order in which they are sent.
 */
export class SourceLines {
  private readonly dense: string;
  private readonly offsets: readonly number[];
  private from = 0;

  /** @param source TypeScript */
  constructor(private readonly source: string) {
    const characters = [...source.matchAll(/\S/g)];
    this.dense = characters.map(([character]) => character).join('');
    this.offsets = characters.map(({ index }) => index);
  }

  /** The line of the method, where the search continues. */
  enter(method: 'up' | 'down'): number {
    const at = new RegExp(`\\b${method}\\s*\\(`).exec(this.source)?.index;
    if (at === undefined) return 1;
    this.from = this.offsets.findIndex((offset) => offset >= at);
    return this.lineAt(at);
  }

  /** Undefined where it is not found, as when it is put together of parts. */
  find(sql: string): number | undefined {
    const dense = sql.replace(/\s+/g, '');
    if (dense === '') return undefined;
    for (const wanted of [dense, dense.slice(0, ENOUGH)]) {
      const at = this.dense.indexOf(wanted, this.from);
      if (at === -1) continue;
      this.from = at + wanted.length;
      return this.lineAt(this.offsets[at]);
    }
    // It may be a constant of the file.
    const at = this.dense.indexOf(dense);
    return at === -1 ? undefined : this.lineAt(this.offsets[at]);
  }

  private lineAt(offset: number | undefined): number {
    return this.source.slice(0, offset).split('\n').length;
  }
}
