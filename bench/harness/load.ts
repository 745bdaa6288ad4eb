import { Agent, request as httpRequest } from 'node:http';
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ApiClient } from '../../test/harness/http/client.js';
import { median } from './report.js';

export interface Request {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
}

export interface Reply {
  /** 0 where there was no response. */
  readonly status: number;
  readonly ms: number;
}

const agent = new Agent({ keepAlive: true });

/** A GET with a client's token. */
export function get({ account }: ApiClient, path: string): Request {
  return { method: 'GET', path, headers: { authorization: `Bearer ${account.accessToken}` } };
}

/** Each client sends its next request when the last one was answered: the peak rate of a server. */
export async function closedLoop(
  url: string,
  requests: readonly Request[],
  clients: number,
  seconds: number,
): Promise<Reply[]> {
  const end = performance.now() + seconds * 1000;
  const replies: Reply[] = [];
  const next = requestsInTurn(requests);
  const client = async () => {
    while (performance.now() < end) replies.push(await send(url, next()));
  };
  await Promise.all(Array.from({ length: clients }, client));
  return replies;
}

/** Requests arrive by the clock, whether or not earlier ones were answered, as those of many users do. */
export async function openLoop(
  url: string,
  requests: readonly Request[],
  rate: number,
  seconds: number,
): Promise<Reply[]> {
  const started = performance.now();
  const replies: Promise<Reply>[] = [];
  const next = requestsInTurn(requests);
  while (performance.now() - started < seconds * 1000) {
    const due = ((performance.now() - started) / 1000) * rate;
    while (replies.length < due) replies.push(send(url, next()));
    await sleep(2);
  }
  return Promise.all(replies);
}

/** The median time of requests that are sent one after the other, ms. */
export async function medianMs(
  url: string,
  count: number,
  requestOf: (turn: number) => Request,
): Promise<number> {
  const warmUp = 20;
  const times: number[] = [];
  for (let turn = 0; turn < count + warmUp; turn += 1) {
    const request = requestOf(turn);
    const { status, ms } = await send(url, request);
    if (status !== 200 && status !== 201) throw new Error(`${request.path}: ${status}`);
    if (turn >= warmUp) times.push(ms);
  }
  return median(times);
}

/** Takes samples while the work is under way. */
export async function sampling<T>(
  intervalMs: number,
  sample: () => Promise<void>,
  work: () => Promise<T>,
): Promise<T> {
  const over = new AbortController();
  const samples = (async () => {
    while (!over.signal.aborted) {
      await sample();
      await sleep(intervalMs);
    }
  })();
  try {
    return await work();
  } finally {
    over.abort();
    await samples;
  }
}

function requestsInTurn(requests: readonly Request[]): () => Request {
  let turn = 0;
  return () => requests[(turn += 1) % requests.length] as Request;
}

function send(url: string, { method, path, headers, body }: Request): Promise<Reply> {
  const started = performance.now();
  return new Promise((resolve) => {
    const end = (status: number) => resolve({ status, ms: performance.now() - started });
    const sent = httpRequest(url + path, { agent, method, headers }, (response) => {
      response.resume();
      response.once('end', () => end(response.statusCode ?? 0));
      response.once('error', () => end(0));
    });
    sent.once('error', () => end(0));
    sent.end(body);
  });
}
