import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { ReadThroughCache } from './cache/read-through-cache.js';
import { requestContext } from './observability/request-context.js';

/** Connects what the modules tell of themselves to the log: they know nothing of it. */
export function observeModules(app: NestFastifyApplication): void {
  app.get(ReadThroughCache).observe = (outcome) => {
    const context = requestContext.getStore();
    if (context && outcome === 'hit') context.cacheHits = (context.cacheHits ?? 0) + 1;
  };
}
