import { Injectable } from '@nestjs/common';
import type { FastifyInstance, FastifyRequest, HTTPMethods } from 'fastify';
import createRouter, { type HTTPMethod } from 'find-my-way';

/** The methods of each path, for the `Allow` header of a 405 (RFC 9110 §15.5.6). Fastify itself has no 405. */
@Injectable()
export class AllowedMethods {
  private readonly routes: { readonly method: HTTPMethods; readonly url: string }[] = [];
  private readonly methods = new Set<HTTPMethods>();
  /** Methods of paths without parameters. */
  private readonly fixed = new Map<string, Set<HTTPMethods>>();
  /** Created at the first lookup: find-my-way compiles code for each route, which would add 20 ms to a start. */
  private router: ReturnType<typeof createRouter> | undefined;

  /** Call this before the first route is registered. */
  observe(fastify: FastifyInstance): void {
    fastify.addHook('onRoute', ({ method, url }) => {
      if (url.includes('*')) return;
      for (const each of [method].flat()) {
        this.routes.push({ method: each, url });
        this.methods.add(each);
        if (url.includes(':')) continue;
        this.fixed.set(url, (this.fixed.get(url) ?? new Set()).add(each));
      }
    });
  }

  /** Whether a route with parameters matched a path that has its own route: `/entries/bulk` is not an entry's. */
  isMisrouted({ url, routeOptions }: FastifyRequest): boolean {
    return (routeOptions.url?.includes(':') ?? false) && this.fixed.has(pathOf(url));
  }

  of(url: string): string[] {
    const path = pathOf(url);
    const fixed = this.fixed.get(path);
    if (fixed) return [...fixed].sort();
    return [...this.methods].filter((method) => this.has(method, path)).sort();
  }

  /** An empty parameter is no match, as in `/entries/`: Nest does not match it either. */
  private has(method: HTTPMethods, path: string): boolean {
    this.router ??= this.createRouter();
    const match = this.router.find(method as HTTPMethod, path);
    return match !== null && !Object.values(match.params).includes('');
  }

  private createRouter() {
    const router = createRouter();
    for (const { method, url } of this.routes) {
      if (!router.hasRoute(method as HTTPMethod, url)) router.on(method as HTTPMethod, url, () => {});
    }
    return router;
  }
}

function pathOf(url: string): string {
  return url.split('?', 1)[0] ?? url;
}
