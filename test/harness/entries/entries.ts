import {
  orThrow,
  type Entry,
  type EntryCreate,
  type EntryList,
  type operations,
} from '../../../client/src/index.js';
import type { ApiClient } from '../http/client.js';

export type ListParameters = NonNullable<operations['listEntries']['parameters']['query']>;

/** Creates an entry, and returns it as the API did. */
export function createEntry({ typed }: ApiClient, fields: Partial<EntryCreate> = {}): Promise<Entry> {
  const body = { text: 'Walked by the river.', mood: 7, ...fields };
  return orThrow(typed.POST('/entries', { body }));
}

/** `/entries` with these query parameters, escaped. */
export function listPath(parameters: ListParameters): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    for (const each of [value].flat()) search.append(name, String(each));
  }
  return `/entries?${search.toString()}`;
}

export function listEntries({ typed }: ApiClient, query: ListParameters = {}): Promise<EntryList> {
  return orThrow(typed.GET('/entries', { params: { query } }));
}
