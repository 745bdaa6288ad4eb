import type { ApiResponse, ApiClient, RequestOptions } from '../http/client.js';

interface Row {
  readonly id: string;
  readonly text: string;
  readonly trashed: boolean;
}

const TRASHED = Symbol('in the trash');
type State = string | typeof TRASHED;

/**
 * Keeps what the service has acknowledged, to compare it with the table: what answered 2xx must be there, what answered
 * 503 may be there or not, and any other answer is none that a fault may give.
 */
export class Ledger {
  /** By id, for each entry whose creation was acknowledged: in which states it may be. */
  private readonly entries = new Map<string, Set<State>>();
  private readonly wrong: string[] = [];
  private texts = 0;

  constructor(private readonly client: ApiClient) {}

  async write(headers: RequestOptions['headers'] = {}): Promise<ApiResponse> {
    const body = { text: this.nextText(), mood: 5 };
    const response = await this.client.post('/entries', body, headers);
    if (this.isTaken(response, 201)) this.entries.set(response.body.id as string, new Set([body.text]));
    return response;
  }

  /** Of an entry that nobody else changes meanwhile. */
  async change(id: string): Promise<void> {
    const text = this.nextText();
    const response = await this.client.patch(`/entries/${id}`, { text });
    this.note(id, text, this.isTaken(response, 200));
  }

  /** Into the trash; of an entry that nobody else changes meanwhile. */
  async remove(id: string): Promise<void> {
    this.note(id, TRASHED, this.isTaken(await this.client.delete(`/entries/${id}`), 204));
  }

  get count(): number {
    return this.entries.size;
  }

  /** Empty where nothing is lost and nothing answered otherwise than it may. */
  async differences(query: (text: string, values: unknown[]) => Promise<Row[]>): Promise<string[]> {
    const rows = await query(
      'SELECT id, text, deleted_at IS NOT NULL AS trashed FROM entries WHERE id = ANY ($1)',
      [[...this.entries.keys()]],
    );
    const there = new Map<string, State>(rows.map((row) => [row.id, row.trashed ? TRASHED : row.text]));
    const differences = [...this.wrong];
    for (const [id, states] of this.entries) {
      const state = there.get(id);
      if (state === undefined) differences.push(`${id} is lost`);
      else if (!states.has(state)) {
        differences.push(`${id} is ${String(state)} instead of ${[...states].map(String).join(' or ')}`);
      }
    }
    return differences;
  }

  private nextText(): string {
    return `entry ${(this.texts += 1)}`;
  }

  private isTaken({ status, text }: ApiResponse, expected: number): boolean {
    if (status !== expected && status !== 503) this.wrong.push(`${status} ${text}`);
    return status === expected;
  }

  private note(id: string, state: State, taken: boolean): void {
    if (taken) this.entries.set(id, new Set([state]));
    else this.entries.get(id)?.add(state);
  }
}
