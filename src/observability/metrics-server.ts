import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Injectable, Logger, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { Config } from '../config/config.js';
import { Metrics, METRICS_MEDIA_TYPE } from './metrics.js';

/** Time limit of a request, ms. */
const REQUEST_TIMEOUT_MS = 10_000;

/** `GET /metrics` on METRICS_PORT. It answers until the last request is done, so that a scrape sees a shutdown. */
@Injectable()
export class MetricsServer implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly logger = new Logger('Metrics');
  private server: Server | undefined;

  constructor(
    private readonly config: Config,
    private readonly metrics: Metrics,
  ) {}

  /** Undefined without METRICS_PORT. */
  get url(): string | undefined {
    const address = this.server?.address() as AddressInfo | null | undefined;
    if (!address) return undefined;
    const host = address.family === 'IPv6' ? `[${address.address}]` : address.address;
    return `http://${host}:${address.port}/metrics`;
  }

  /** Rejects if the port is in use. */
  async onApplicationBootstrap(): Promise<void> {
    const { HOST: host, METRICS_ENABLED, METRICS_PORT: port } = this.config;
    if (!METRICS_ENABLED || port === undefined) return;
    const server = createServer({ requestTimeout: REQUEST_TIMEOUT_MS }, (request, response) => {
      const path = request.url?.split('?', 1)[0];
      if (path !== '/metrics') {
        response.writeHead(404).end();
      } else if (request.method !== 'GET' && request.method !== 'HEAD') {
        response.writeHead(405, { allow: 'GET, HEAD' }).end();
      } else {
        this.metrics.registry.metrics().then(
          (text) => response.writeHead(200, { 'content-type': METRICS_MEDIA_TYPE }).end(text),
          (error: unknown) => {
            this.logger.error(error);
            response.writeHead(500).end();
          },
        );
      }
    });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen({ host, port }, resolve);
    });
    this.server = server;
    this.logger.log(`metrics on ${this.url ?? ''}`);
  }

  async onApplicationShutdown(): Promise<void> {
    const { server } = this;
    if (!server) return;
    await new Promise((resolve) => {
      server.close(resolve);
      server.closeAllConnections();
    });
  }
}
