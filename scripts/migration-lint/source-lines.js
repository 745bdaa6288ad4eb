/** As many characters as tell one statement of a migration from another, where it is not written out as a whole. */
const ENOUGH = 24;

/**
 * Finds the lines of a migration's source on which its statements begin, though a formatter has broken and indented
 * them. Statements are asked for in the order in which they are sent.
 */
export class SourceLines {
  /** @param {string} source TypeScript */
  constructor(source) {
    this.source = source;
    const characters = [...source.matchAll(/\S/g)];
    /** White space does not count. */
    this.dense = characters.map(([character]) => character).join('');
    this.offsets = characters.map(({ index }) => index);
    this.from = 0;
  }

  /**
   * The line of the method, where the search goes on from.
   *
   * @param {'up' | 'down'} method
   */
  enter(method) {
    const at = new RegExp(`\\b${method}\\s*\\(`).exec(this.source)?.index;
    if (at === undefined) return 1;
    this.from = this.offsets.findIndex((offset) => offset >= at);
    return this.lineAt(at);
  }

  /**
   * @param {string} sql
   * @returns {number | undefined} undefined where it is not to be found, as when it is put together of parts
   */
  find(sql) {
    const dense = sql.replace(/\s+/g, '');
    if (dense === '') return undefined;
    for (const wanted of [dense, dense.slice(0, ENOUGH)]) {
      const at = this.dense.indexOf(wanted, this.from);
      if (at === -1) continue;
      this.from = at + wanted.length;
      return this.lineAt(this.offsets[at] ?? 0);
    }
    // It may be a constant of the file.
    const at = this.dense.indexOf(dense);
    return at === -1 ? undefined : this.lineAt(this.offsets[at] ?? 0);
  }

  /** @param {number} offset */
  lineAt(offset) {
    return this.source.slice(0, offset).split('\n').length;
  }
}
