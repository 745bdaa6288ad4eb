import type { EntryFilters } from './entries.schemas.js';
import { parseSearch } from './search/search-text.js';

/** The entries of a user that a list, count or export covers. */
export interface EntrySelection {
  readonly userId: string;
  readonly filters: EntryFilters;
  readonly trash: boolean;
}

/** The parameters of a statement. `$1` is the user. */
export class Parameters {
  readonly values: unknown[];

  constructor(userId: string) {
    this.values = [userId];
  }

  add(value: unknown): string {
    return `$${this.values.push(value)}`;
  }
}

export function whereOf({ filters, trash }: EntrySelection, parameters: Parameters): string {
  const { q, category, tag, mood, moodMin, moodMax, from, to } = filters;
  const conditions = ['user_id = $1', `deleted_at IS ${trash ? 'NOT NULL' : 'NULL'}`];
  const where = (condition: (placeholder: string) => string, value: unknown) => {
    if (value !== undefined) conditions.push(condition(parameters.add(value)));
  };
  if (q !== undefined) {
    const { all, none } = parseSearch(q);
    for (const pattern of all) where((value) => `search_text LIKE ${value}`, pattern);
    for (const pattern of none) where((value) => `search_text NOT LIKE ${value}`, pattern);
    if (all.length + none.length === 0) conditions.push('false');
  }
  where((value) => `category = ${value}`, category);
  where((value) => `tags @> ${value}::text[]`, tag);
  where((value) => `mood = ${value}`, mood);
  where((value) => `mood >= ${value}`, moodMin);
  where((value) => `mood <= ${value}`, moodMax);
  where((value) => `occurred_at >= ${value}::timestamptz`, from);
  where((value) => `occurred_at < ${value}::timestamptz`, to);
  return conditions.join(' AND ');
}

export function hasFilters(filters: EntryFilters): boolean {
  return Object.values<unknown>(filters).some((value) => value !== undefined);
}
