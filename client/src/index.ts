import createFetchClient, { type Client } from 'openapi-fetch';
import type { AdminUser, Entry, operations, paths, SecurityEvent } from './openapi.js';
import { orThrow, type Call } from './problem.js';
import { Session, type Fetch, type OnTokens, type Tokens } from './session.js';

export type * from './openapi.js';
export { ifMatch, ifNoneMatch } from './etag.js';
export { orThrow, ProblemError } from './problem.js';
export type { Tokens } from './session.js';

export interface ClientOptions {
  /** Of the service, such as `https://entries.example.org`. */
  readonly baseUrl: string;
  /** Of an earlier sign-in. */
  readonly tokens?: Tokens | undefined;
  /** Called with new tokens to keep, and with undefined when the session has ended. */
  readonly onTokens?: OnTokens | undefined;
  /** Instead of the global one. */
  readonly fetch?: Fetch | undefined;
}

type Paging = { limit: number; cursor?: string };

type Filters<Operation extends keyof operations> = Omit<
  NonNullable<operations[Operation]['parameters']['query']>,
  'cursor' | 'page'
>;

/** GET, POST and the other methods are those of openapi-fetch. The iterators read page after page, as they are used. */
export interface EntriesClient extends Client<paths> {
  /** Undefined: signed out. */
  readonly tokens: Tokens | undefined;
  entries(filters?: Filters<'listEntries'>): AsyncGenerator<Entry, void, undefined>;
  trash(filters?: Filters<'listTrash'>): AsyncGenerator<Entry, void, undefined>;
  securityEvents(filters?: Filters<'listSecurityEvents'>): AsyncGenerator<SecurityEvent, void, undefined>;
  /** For administrators. */
  users(filters?: Filters<'listUsers'>): AsyncGenerator<AdminUser, void, undefined>;
}

/**
 * Creates a client of the service. A sign-in gives it the tokens that it sends from then on. It refreshes them when the
 * service refuses the access token; if the service refuses the refresh token too, the client is signed out, and the call
 * returns the 401.
 */
export function createClient({ baseUrl, tokens, onTokens, fetch }: ClientOptions): EntriesClient {
  const send: Fetch = fetch ?? ((request) => globalThis.fetch(request));
  const base = baseUrl.replace(/\/$/, '');
  const session = new Session(base, send, onTokens, tokens);
  const api = createFetchClient<paths>({ baseUrl: base, fetch: send, bodySerializer: serialize });
  api.use(session);
  return {
    ...api,
    get tokens() {
      return session.tokens;
    },
    entries: (filters) => each('entries', filters, (init) => api.GET('/entries', init)),
    trash: (filters) => each('entries', filters, (init) => api.GET('/entries/trash', init)),
    securityEvents: (filters) =>
      each('securityEvents', filters, (init) => api.GET('/users/me/security-events', init)),
    users: (filters) => each('users', filters, (init) => api.GET('/admin/users', init)),
  };
}

/** Files for the import are sent as they are. */
function serialize(body: unknown): string | Blob {
  return typeof body === 'string' || body instanceof Blob ? body : JSON.stringify(body);
}

async function* each<Key extends string, Item, Query>(
  key: Key,
  filters: Query | undefined,
  read: (init: {
    params: { query: Paging & Query };
  }) => Call<{ nextCursor: string | null } & Record<Key, Item[]>>,
): AsyncGenerator<Item, void, undefined> {
  for (let cursor: string | null | undefined; cursor !== null;) {
    const paging = { limit: 100, ...filters, ...(cursor !== undefined && { cursor }) };
    const page = await orThrow(read({ params: { query: paging as Paging & Query } }));
    yield* page[key];
    cursor = page.nextCursor;
  }
}
