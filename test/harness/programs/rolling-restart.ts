import { Agent, createServer, request, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { ApiClient, type ApiResponse } from '../http/client.js';

const PROBE_INTERVAL_MS = 50;
const PROBE_TIMEOUT_MS = 1000;
/** A server that says 503 gets no more requests at once; one that does not answer, after so many probes in a row. */
const SILENT_PROBES = 3;
const KEPT_FAILURES = 20;

/**
 * A load balancer, as far as a rolling restart is concerned: sends requests in turns to the servers whose /health says
 * 200, keeps its connections to them open, and never repeats a request that has failed.
 */
export class ReadinessProxy {
  private readonly servers = new Map<string, { ready: boolean; silent: number; readonly agent: Agent }>();
  private turn = 0;
  private readonly server = createServer({ keepAliveTimeout: 60_000 }, (incoming, outgoing) => {
    this.forward(incoming, outgoing);
  });

  static async start(): Promise<ReadinessProxy> {
    const proxy = new ReadinessProxy();
    await new Promise<void>((resolve) => proxy.server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** @param url of a server, which need not run yet */
  add(url: string): void {
    this.servers.set(url, { ready: false, silent: 0, agent: new Agent({ keepAlive: true }) });
    void this.watch(url);
  }

  isReady(url: string): boolean {
    return this.servers.get(url)?.ready === true;
  }

  remove(url: string): void {
    this.servers.get(url)?.agent.destroy();
    this.servers.delete(url);
  }

  async close(): Promise<void> {
    for (const url of this.servers.keys()) this.remove(url);
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private async watch(url: string): Promise<void> {
    for (let server; (server = this.servers.get(url));) {
      try {
        const response = await fetch(`${url}/health`, { signal: AbortSignal.timeout(PROBE_TIMEOUT_MS) });
        await response.arrayBuffer();
        server.ready = response.ok;
        server.silent = 0;
      } catch {
        server.silent += 1;
        if (server.silent >= SILENT_PROBES) server.ready = false;
      }
      await sleep(PROBE_INTERVAL_MS);
    }
  }

  private forward(incoming: IncomingMessage, outgoing: ServerResponse): void {
    const ready = [...this.servers].filter(([, server]) => server.ready);
    const [url, server] = ready[(this.turn += 1) % ready.length] ?? [];
    if (url === undefined || !server) {
      outgoing.writeHead(502).end('no server is ready');
      return;
    }
    const { method, headers } = incoming;
    const upstream = request(
      url + (incoming.url ?? ''),
      { method, headers, agent: server.agent },
      (response) => {
        const responseHeaders = { ...response.headers };
        delete responseHeaders.connection;
        outgoing.writeHead(response.statusCode ?? 502, responseHeaders);
        response.pipe(outgoing);
      },
    );
    upstream.on('error', (error) => {
      if (!outgoing.headersSent) outgoing.writeHead(502);
      outgoing.end(`proxy: ${error.message}`);
    });
    incoming.pipe(upstream);
  }
}

/** Many clients that write and read in turns, with one request at a time and a pause after it, until they are stopped. */
export class Clients {
  requests = 0;
  failed = 0;
  /** The first of them. */
  readonly failures: string[] = [];
  /** Ids of the entries whose creation was acknowledged. */
  readonly acknowledged: string[] = [];
  private stopped = false;
  private readonly running: Promise<void>[];

  constructor(options: { url: string; tokens: readonly string[]; count: number; pauseMs: number }) {
    const { url, tokens, count, pauseMs } = options;
    const clients = tokens.map((token) => new ApiClient(url).withToken(token));
    this.running = Array.from({ length: count }, (_, index) =>
      this.run(clients[index % clients.length]!, pauseMs),
    );
  }

  async stop(): Promise<void> {
    this.stopped = true;
    await Promise.all(this.running);
  }

  private async run(client: ApiClient, pauseMs: number): Promise<void> {
    // Not all at the same instant.
    await sleep(Math.random() * pauseMs);
    while (!this.stopped) {
      const created = await this.send(201, () =>
        client.post('/entries', { text: 'written during a restart', mood: 5 }),
      );
      if (created) this.acknowledged.push(created.body.id);
      await sleep(pauseMs * (0.5 + Math.random()));
      await this.send(200, () => client.get('/entries?limit=1'));
      await sleep(pauseMs * (0.5 + Math.random()));
    }
  }

  private async send(status: number, request: () => Promise<ApiResponse>): Promise<ApiResponse | undefined> {
    this.requests += 1;
    try {
      const response = await request();
      if (response.status === status) return response;
      this.fail(`${response.status} ${response.text}`);
    } catch (error) {
      const { message, cause } = error as Error;
      // fetch gives the reason as the cause.
      this.fail(cause instanceof Error ? `${message}: ${cause.message}` : message);
    }
    return undefined;
  }

  private fail(failure: string): void {
    this.failed += 1;
    if (this.failures.length < KEPT_FAILURES) this.failures.push(failure);
  }
}
