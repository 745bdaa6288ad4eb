import { expect } from '@jest/globals';
import type { ApiClient } from '../http/client.js';

export interface Entry {
  readonly id: string;
  readonly text: string;
  readonly mood: number;
  readonly category: string;
  readonly tags: readonly string[];
  readonly occurredAt: string;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly version: number;
}

export interface EntryPage {
  readonly entries: readonly Entry[];
  readonly total: number;
  readonly limit: number;
  readonly page?: number;
  readonly nextCursor: string | null;
}

export type ListParameters = Readonly<Record<string, string | number | readonly string[]>>;

/** Creates an entry, and returns it as the API did. */
export async function createEntry(client: ApiClient, fields: object = {}): Promise<Entry> {
  const { status, text, body } = await client.post('/entries', {
    text: 'Walked by the river.',
    mood: 7,
    ...fields,
  });
  expect(`${status} ${text}`).toMatch(/^201 /);
  return body;
}

/** `/entries` with these query parameters, escaped. */
export function listPath(parameters: ListParameters): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    for (const each of [value].flat()) search.append(name, String(each));
  }
  return `/entries?${search.toString()}`;
}

export async function listEntries(client: ApiClient, parameters: ListParameters = {}): Promise<EntryPage> {
  const { status, text, body } = await client.get(listPath(parameters));
  expect(`${status} ${text}`).toMatch(/^200 /);
  return body;
}
