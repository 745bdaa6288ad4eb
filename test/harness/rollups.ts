import { expect } from '@jest/globals';
import type { TestDatabase } from './database.js';

interface Live {
  readonly user_id: string;
  readonly occurred_at: Date;
  readonly mood: number;
  readonly category: string;
  readonly tags: readonly string[];
}

/**
 * Counts all entries here, one by one, and compares that with the numbers that the triggers have kept. What these hold
 * of users or labels that are gone would show too.
 */
export async function expectRollupsToBeTrue(database: TestDatabase): Promise<void> {
  const live = await database.query<Live>('SELECT * FROM entries WHERE deleted_at IS NULL');
  const days = new Map<string, { counts: number[]; mood_sums: number[]; moods: number[] }>();
  const labels = new Map<string, number>();
  for (const { user_id: user, occurred_at: at, mood, category, tags } of live) {
    const iso = at.toISOString();
    const dayKey = `${user} ${iso.slice(0, 10)}`;
    const day = days.get(dayKey) ?? { counts: zeros(24), mood_sums: zeros(24), moods: zeros(10) };
    days.set(dayKey, day);
    for (let hour = at.getUTCHours(); hour < 24; hour += 1) {
      day.counts[hour]! += 1;
      day.mood_sums[hour]! += mood;
    }
    day.moods[mood - 1]! += 1;
    for (const label of [`category ${category}`, ...tags.map((tag) => `tag ${tag}`)]) {
      const key = `${user} ${iso.slice(0, 7)}-01 ${label}`;
      labels.set(key, (labels.get(key) ?? 0) + 1);
    }
  }
  const keptDays = await database.query<{ key: string }>(
    `SELECT user_id || ' ' || day AS key, counts, mood_sums, moods FROM entry_days`,
  );
  expect(new Map(keptDays.map(({ key, ...day }) => [key, day]))).toEqual(days);
  const keptLabels = await database.query<{ key: string; count: number }>(
    `SELECT concat_ws(' ', user_id, month, kind, label) AS key, count FROM entry_labels`,
  );
  expect(new Map(keptLabels.map(({ key, count }) => [key, count]))).toEqual(labels);
}

function zeros(length: number): number[] {
  return Array.from({ length }, () => 0);
}
