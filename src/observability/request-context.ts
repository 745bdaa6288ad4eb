import { AsyncLocalStorage } from 'node:async_hooks';

export interface RequestContext {
  readonly requestId: string;
  userId?: string;
  /** How often the cache had what was asked of it. */
  cacheHits?: number;
  /** Why it was not served, where that is no fault: a text of ours. */
  refusal?: string;
}

/** What is known of the request being served, wherever its work goes. Empty outside of a request. */
export const requestContext = new AsyncLocalStorage<RequestContext>();
