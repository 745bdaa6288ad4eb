import type { EntryFilters } from './entry.schemas.js';

/** Which entries of a user a list is of. */
export interface EntrySelection {
  readonly userId: string;
  readonly filters: EntryFilters;
  readonly trash: boolean;
}

/** Adds a value to those of a statement. @returns its placeholder */
export type Bind = (value: unknown) => string;

/** The words of an entry, as the search index has them. */
export const WORDS = `to_tsvector('entries_search', text)`;

/**
 * More minus signs one after the other, with what `websearch_to_tsquery` passes over between them, than anybody means. It
 * keeps each until the word comes, 32 at most, and beyond that answers XX000 "tsquery stack too small" (STACKDEPTH in
 * PostgreSQL's tsquery.c).
 */
const MANY_NOTS = /-(?:[\s!&|()]*-){15,}/g;

/** @param q any text: nothing in it is an error */
export function wordsIn(q: string, bind: Bind): string {
  const bounded = q.replace(MANY_NOTS, (nots) => (nots.split('-').length % 2 === 0 ? '-' : ''));
  return `websearch_to_tsquery('entries_search', ${bind(bounded)})`;
}

/** What every entry of the selection fulfils, but for its user and for `from` and `to`. */
export function conditionsOf({ filters, trash }: EntrySelection, bind: Bind): string[] {
  const { q, category, tag, mood, moodMin, moodMax } = filters;
  return [
    `deleted_at IS ${trash ? 'NOT NULL' : 'NULL'}`,
    q !== undefined && `${WORDS} @@ ${wordsIn(q, bind)}`,
    category !== undefined && `category = ${bind(category)}`,
    tag !== undefined && `tags @> ${bind(tag)}::text[]`,
    mood !== undefined && `mood = ${bind(mood)}`,
    moodMin !== undefined && `mood >= ${bind(moodMin)}`,
    moodMax !== undefined && `mood <= ${bind(moodMax)}`,
  ].filter((condition) => typeof condition === 'string');
}

/** From and up to when. */
export function rangeOf({ filters: { from, to } }: EntrySelection, bind: Bind): string[] {
  return [
    from !== undefined && `occurred_at >= ${bind(from)}::timestamptz`,
    to !== undefined && `occurred_at < ${bind(to)}::timestamptz`,
  ].filter((condition) => typeof condition === 'string');
}

/** @param bind `$1` is the user */
export function whereOf(selection: EntrySelection, bind: Bind): string {
  return ['user_id = $1', ...conditionsOf(selection, bind), ...rangeOf(selection, bind)].join(' AND ');
}

/** A list of values, and how to add to it. */
export function statementValues(userId: string): { values: unknown[]; bind: Bind } {
  const values: unknown[] = [userId];
  return { values, bind: (value) => `$${values.push(value)}` };
}

export function filtersGiven(filters: EntryFilters): string[] {
  const pairs: [string, unknown][] = Object.entries(filters);
  return pairs.filter(([, value]) => value !== undefined).map(([name]) => name);
}
