import { Injectable } from '@nestjs/common';
import { Config } from '../config/config.js';
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';

/** Seconds. Finer than prom-client's default below 10 ms, the range of healthy responses. */
const DURATION_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** Other methods that Node parses are labelled `other`. */
const METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'none']);

export const METRICS_MEDIA_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

/** Listed in docs/observability.md. Clients cannot choose label values. */
@Injectable()
export class Metrics {
  readonly registry = new Registry();

  private readonly requests = new Histogram({
    name: 'http_request_duration_seconds',
    help: 'Duration of HTTP requests by method, route pattern and status',
    labelNames: ['method', 'route', 'status'] as const,
    buckets: DURATION_BUCKETS,
    registers: [this.registry],
  });

  private readonly cacheReads = new Counter({
    name: 'cache_reads_total',
    help: 'Cache reads of totals and statistics by outcome: hit or miss',
    labelNames: ['outcome'] as const,
    registers: [this.registry],
  });

  private readonly refusals = new Counter({
    name: 'rate_limit_refusals_total',
    help: 'Requests refused with 429 by limit',
    labelNames: ['limit'] as const,
    registers: [this.registry],
  });

  private readonly mails = new Counter({
    name: 'mails_total',
    help: 'Mails by outcome: delivered, failed attempts, dropped after a day, obsolete',
    labelNames: ['outcome'] as const,
    registers: [this.registry],
  });

  private readonly enabled: boolean;

  constructor({ METRICS_ENABLED }: Config) {
    this.enabled = METRICS_ENABLED;
    if (!this.enabled) return;
    // Event-loop lag, garbage collections, memory, CPU time, handles.
    collectDefaultMetrics({ register: this.registry });
  }

  /** @param route the pattern, never the URL, so that there are few series */
  observeRequest(method: string, route: string, status: string, seconds: number): void {
    if (!this.enabled) return;
    this.requests.observe({ method: METHODS.has(method) ? method : 'other', route, status }, seconds);
  }

  countCacheRead(outcome: string): void {
    if (this.enabled) this.cacheReads.inc({ outcome });
  }

  countRefusal(limit: string): void {
    if (this.enabled) this.refusals.inc({ limit });
  }

  countMails(outcome: 'delivered' | 'failed' | 'dropped' | 'obsolete', mails = 1): void {
    if (this.enabled) this.mails.inc({ outcome }, mails);
  }

  /** A gauge that is read at each scrape. */
  gauge(name: string, help: string, read: () => number): void {
    new Gauge({
      name,
      help,
      registers: [this.registry],
      collect() {
        this.set(read());
      },
    });
  }

  /** The same with a label, whose values are the keys of the reading. */
  gauges(name: string, help: string, label: string, read: () => Readonly<Record<string, number>>): void {
    new Gauge({
      name,
      help,
      labelNames: [label],
      registers: [this.registry],
      collect() {
        for (const [value, number] of Object.entries(read())) this.set({ [label]: value }, number);
      },
    });
  }
}
