const EVERY_MS = 100;
const BAR_WIDTH = 30;

/** Progress is drawn only on a terminal. */
export interface Screen {
  readonly isTTY?: boolean;
  write(text: string): unknown;
}

/**
 * The progress of a transfer, in one line that is drawn again and again.
 *
 * Not cli-progress: it computes no rate, so most of this would remain, for six packages and 30 KB of bundle.
 */
export class Progress {
  private readonly started = Date.now();
  private drawn = 0;

  /** @param total in the unit of `done`; undefined if unknown */
  constructor(
    private readonly screen: Screen,
    private readonly total: number | undefined,
  ) {}

  update(done: number, entries: number): void {
    if (!this.screen.isTTY || Date.now() - this.drawn < EVERY_MS) return;
    this.drawn = Date.now();
    const seconds = Math.max((this.drawn - this.started) / 1000, 0.001);
    const rate = `${entries.toLocaleString('en-US')} entries, ${Math.round(entries / seconds).toLocaleString('en-US')}/s`;
    this.screen.write(`\r\x1b[2K${this.bar(done)}${rate}`);
  }

  /** Clears the line for what is printed next. */
  end(): void {
    if (this.screen.isTTY) this.screen.write('\r\x1b[2K');
  }

  private bar(done: number): string {
    if (!this.total) return '';
    const share = Math.min(done / this.total, 1);
    const full = Math.round(share * BAR_WIDTH);
    return `[${'='.repeat(full)}${' '.repeat(BAR_WIDTH - full)}] ${String(Math.floor(share * 100)).padStart(3)} %  `;
  }
}
