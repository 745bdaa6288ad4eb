import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Client } from 'pg';
import { EntitySchema } from 'typeorm';
import type { Generated } from '../../src/migrator/generate/generate-migration.js';
import { MigrationProject } from '../harness/database/migration-project.js';

const ROWS = 1_000_000;

/** ms. A statement that waits longer for a lock fails, and the test with it. */
const LONGEST_WAIT = 2000;

const entity = (label: string, amount: string, at: string) =>
  new EntitySchema({
    name: 'events',
    columns: {
      id: { type: 'integer', primary: true, generated: 'identity' },
      [label]: { type: 'varchar', length: 20, default: 'none' },
      amount: { type: amount },
      at: { type: at },
    },
    indices: [
      { name: 'events_label_idx', columns: [label] },
      { name: 'events_amount_idx', columns: ['amount'] },
      { name: 'events_at_idx', columns: ['at'] },
    ],
  } as never);

/** A replica of a release: it inserts, updates and reads its own rows without a pause. */
class Replica {
  readonly written = new Map<number, { label: string; amount: number }>();
  private isStopped = false;
  private readonly loop: Promise<void>;

  constructor(
    private readonly url: string,
    private readonly name: string,
    private readonly label: string,
  ) {
    this.loop = this.run();
    // A failure is thrown where it is stopped.
    this.loop.catch(() => {});
  }

  async stop(): Promise<void> {
    this.isStopped = true;
    await this.loop;
    expect(this.written.size).toBeGreaterThan(0);
  }

  private async run(): Promise<void> {
    const client = new Client({ connectionString: this.url });
    await client.connect();
    try {
      await client.query(`SET lock_timeout = ${LONGEST_WAIT}`);
      for (let turn = 1; !this.isStopped; turn += 1) {
        const { rows } = await client.query<{ id: number }>(
          `INSERT INTO events (${this.label}, amount, at) VALUES ($1, $2, '2026-03-01 12:00Z') RETURNING id`,
          [this.name, turn],
        );
        const id = rows[0]!.id;
        this.written.set(id, { label: this.name, amount: turn });
        if (turn % 2 === 0) {
          await client.query(`UPDATE events SET ${this.label} = $2, amount = amount + 1 WHERE id = $1`, [
            id,
            `${this.name}!`,
          ]);
          this.written.set(id, { label: `${this.name}!`, amount: turn + 1 });
        }
        const read = await client.query<{ label: string; amount: string | number }>(
          `SELECT ${this.label} AS label, amount FROM events WHERE id = $1`,
          [id],
        );
        const { label, amount } = read.rows[0]!;
        expect({ label, amount: Number(amount) }).toEqual(this.written.get(id));
      }
    } finally {
      await client.end();
    }
  }
}

describe(`a rename and two changes of type on ${ROWS} rows in use`, () => {
  let project: MigrationProject;
  let generated: Generated;
  const replicas: Replica[] = [];

  beforeAll(async () => {
    project = await MigrationProject.create();
    await project.migrate([entity('label', 'integer', 'timestamp')]);
    await project.database.query(`
      INSERT INTO events (label, amount, at)
      SELECT 'old', g, timestamp '2026-01-01' + g * interval '1 s' FROM generate_series(1, ${ROWS}) g`);
    generated = await project.generate([entity('title', 'bigint', 'timestamptz')], {
      rename: ['events.label:title'],
    });
    const start = (name: string, label: string) =>
      replicas.push(new Replica(project.database.url, name, label));
    start('A1', 'label');
    start('A2', 'label');
    await project.apply(generated.migrations);
    start('B1', 'title');
    start('B2', 'title');
    // Both releases serve for a while.
    await new Promise((resolve) => setTimeout(resolve, 500));
  }, 240_000);
  afterAll(() => project.remove());

  it('fails no request, and lets no statement wait for long', async () => {
    for (const replica of replicas) await replica.stop();
  });

  it('keeps each write that was acknowledged, under both names', async () => {
    const rows = await project.database.query<{ id: number; label: string; title: string; amount: string }>(
      `SELECT id, label, title, amount FROM events WHERE id > ${ROWS}`,
    );
    const written = new Map(replicas.flatMap((replica) => [...replica.written]));
    expect(rows.length).toBe(written.size);
    for (const { id, label, title, amount } of rows) {
      expect({ label, title, amount: Number(amount) }).toEqual({
        ...written.get(id),
        title: written.get(id)?.label,
      });
    }
  });

  it('keeps each row from before', async () => {
    expect(
      await project.database.query(`
        SELECT count(*)::int AS rows,
               bool_and(label = 'old' AND title = 'old' AND amount = id
                        AND at = timestamptz '2026-01-01Z' + id * interval '1 s') AS same
          FROM events WHERE id <= ${ROWS}`),
    ).toEqual([{ rows: ROWS, same: true }]);
  });

  it('has nothing left to generate', async () => {
    const again = await project.generate([entity('title', 'bigint', 'timestamptz')]);
    expect(again).toMatchObject({ migrations: [], questions: [] });
  });
});
