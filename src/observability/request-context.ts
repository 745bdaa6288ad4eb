import { AsyncLocalStorage } from 'node:async_hooks';

export interface RequestContext {
  readonly requestId: string;
  userId?: string;
  cacheHits?: number;
  /** The reason of a 503. */
  refusal?: string;
}

/** The current request. Empty outside a request. */
export const requestContext = new AsyncLocalStorage<RequestContext | undefined>();
