import type { Answer, ApiClient, RequestOptions } from './client.js';

/**
 * Keeps what the service has acknowledged, to compare it with the table: what answered 201 must be there, and what
 * answered neither 201 nor 503 is no answer that a fault may give.
 */
export class Ledger {
  private readonly acknowledged: string[] = [];
  private readonly wrong: string[] = [];
  private texts = 0;

  constructor(private readonly client: ApiClient) {}

  async write(headers: RequestOptions['headers'] = {}): Promise<Answer> {
    const body = { text: `entry ${(this.texts += 1)}`, mood: 5 };
    const answer = await this.client.post('/entries', body, headers);
    if (answer.status === 201) this.acknowledged.push(answer.body.id as string);
    else if (answer.status !== 503) this.wrong.push(`${answer.status} ${answer.text}`);
    return answer;
  }

  get count(): number {
    return this.acknowledged.length;
  }

  /** Empty where nothing is lost and nothing answered otherwise than it may. */
  async differences(
    query: (text: string, values: unknown[]) => Promise<{ id: string }[]>,
  ): Promise<string[]> {
    const rows = await query('SELECT id FROM entries WHERE id = ANY ($1)', [this.acknowledged]);
    const there = new Set(rows.map(({ id }) => id));
    return [...this.wrong, ...this.acknowledged.filter((id) => !there.has(id)).map((id) => `${id} is lost`)];
  }
}
