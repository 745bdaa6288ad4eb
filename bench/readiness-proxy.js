import { Agent, createServer, request } from 'node:http';

/** How often each server is asked whether it is ready, ms. */
const PROBE_EVERY_MS = 50;
const PROBE_TIMEOUT_MS = 1000;

/** A server that says 503 gets nothing more at once; one that does not answer, after so many probes in turn. */
const SILENT_PROBES = 3;

/**
 * A load balancer, as far as a rolling restart is concerned: takes turns among the servers whose /health says 200,
 * keeps its connections to them open, and never repeats a request that has failed.
 */
export class ReadinessProxy {
  #servers = /** @type {Map<string, { ready: boolean, silent: number, agent: Agent }>} */ (new Map());
  #turn = 0;
  #server = createServer({ keepAliveTimeout: 60_000 }, (incoming, outgoing) =>
    this.#forward(incoming, outgoing),
  );
  url = '';

  static async start() {
    const proxy = new ReadinessProxy();
    await new Promise((resolve) => proxy.#server.listen(0, '127.0.0.1', () => resolve(undefined)));
    const { port } = /** @type {import('node:net').AddressInfo} */ (proxy.#server.address());
    proxy.url = `http://127.0.0.1:${port}`;
    return proxy;
  }

  /** @param {string} url of a server, which may be none yet */
  add(url) {
    const agent = new Agent({ keepAlive: true });
    this.#servers.set(url, { ready: false, silent: 0, agent });
    void this.#watch(url);
  }

  /** @param {string} url */
  isReady(url) {
    return this.#servers.get(url)?.ready === true;
  }

  /** @param {string} url */
  remove(url) {
    const server = this.#servers.get(url);
    server?.agent.destroy();
    this.#servers.delete(url);
  }

  async close() {
    for (const url of [...this.#servers.keys()]) this.remove(url);
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  /** @param {string} url */
  async #watch(url) {
    for (let server; (server = this.#servers.get(url)); await pause(PROBE_EVERY_MS)) {
      try {
        const answer = await fetch(`${url}/health`, { signal: AbortSignal.timeout(PROBE_TIMEOUT_MS) });
        await answer.arrayBuffer();
        server.ready = answer.ok;
        server.silent = 0;
      } catch {
        server.silent += 1;
        if (server.silent >= SILENT_PROBES) server.ready = false;
      }
    }
  }

  /**
   * @param {import('node:http').IncomingMessage} incoming
   * @param {import('node:http').ServerResponse} outgoing
   */
  #forward(incoming, outgoing) {
    const ready = [...this.#servers].filter(([, server]) => server.ready);
    const [url, server] = ready[(this.#turn += 1) % ready.length] ?? [];
    if (url === undefined || !server) {
      outgoing.writeHead(502).end('no server is ready');
      return;
    }
    const upstream = request(
      url + incoming.url,
      { method: incoming.method, headers: incoming.headers, agent: server.agent },
      (answer) => {
        const headers = { ...answer.headers };
        delete headers.connection;
        outgoing.writeHead(answer.statusCode ?? 502, headers);
        answer.pipe(outgoing);
      },
    );
    upstream.on('error', (error) => {
      if (!outgoing.headersSent) outgoing.writeHead(502);
      outgoing.end(`the proxy: ${error.message}`);
    });
    incoming.pipe(upstream);
  }
}

/** Many clients, each with one request at a time and a pause after it, until they are stopped. */
export class Clients {
  requests = 0;
  /** What was no answer, or none of the statuses that are right; the first 20. */
  failures = /** @type {string[]} */ ([]);
  failed = 0;
  /** Ids of the entries whose writing was acknowledged. */
  acknowledged = /** @type {string[]} */ ([]);
  #stopped = false;
  #running = /** @type {Promise<unknown>[]} */ ([]);

  /** @param {{ url: string, tokens: string[], count: number, pauseMs: number }} options who is signed in, by turns */
  constructor({ url, tokens, count, pauseMs }) {
    const client = async (/** @type {string} */ token) => {
      // Not all at the same instant.
      await pause(Math.random() * pauseMs);
      for (let turn = 0; !this.#stopped; turn += 1) {
        await (turn % 2 === 0 ? this.#write(url, token) : this.#read(url, token));
        await pause(pauseMs * (0.5 + Math.random()));
      }
    };
    this.#running = Array.from({ length: count }, (_, index) => client(tokens[index % tokens.length] ?? ''));
  }

  async stop() {
    this.#stopped = true;
    await Promise.all(this.#running);
  }

  /**
   * @param {string} url
   * @param {string} token
   */
  async #write(url, token) {
    const answer = await this.#send(`${url}/entries`, 201, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ text: 'written during a restart', mood: 5 }),
    });
    if (answer) this.acknowledged.push(/** @type {{ id: string }} */ (JSON.parse(answer)).id);
  }

  /**
   * @param {string} url
   * @param {string} token
   */
  async #read(url, token) {
    await this.#send(`${url}/entries?limit=1`, 200, { headers: { authorization: `Bearer ${token}` } });
  }

  /**
   * @param {string} url
   * @param {number} status
   * @param {RequestInit} options
   */
  async #send(url, status, options) {
    this.requests += 1;
    try {
      const answer = await fetch(url, options);
      const text = await answer.text();
      if (answer.status === status) return text;
      this.#fail(`${answer.status} ${text}`);
    } catch (error) {
      const { message, cause } = /** @type {Error} */ (error);
      this.#fail(`${message} ${String(cause ?? '')}`);
    }
    return undefined;
  }

  /** @param {string} what */
  #fail(what) {
    this.failed += 1;
    if (this.failures.length < 20) this.failures.push(what);
  }
}

/** @param {number} ms */
function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
