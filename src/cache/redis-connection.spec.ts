import { performance } from 'node:perf_hooks';
import { describe, expect, it } from '@jest/globals';
import { afterSending } from './redis-connection.js';

const WAIT_MS = 50;

function beBusy(ms: number): void {
  const until = performance.now() + ms;
  while (performance.now() < until);
}

describe('afterSending', () => {
  it('counts from the sending of the command, not from before the process was busy', async () => {
    // Again where the machine took the processor away for as long as that.
    for (let judged = false; !judged;) {
      let late = false;
      const stop = afterSending(WAIT_MS, () => (late = true));
      beBusy(2 * WAIT_MS);
      const sent = performance.now();
      // The client sends in the first of these.
      for (let turn = 0; turn < 4; turn += 1) await new Promise(setImmediate);
      stop();
      judged = performance.now() - sent < WAIT_MS;
      if (judged) expect(late).toBe(false);
    }
  });

  it('accepts a reply that arrived in time while the process was busy', async () => {
    let late = false;
    const stop = afterSending(WAIT_MS, () => (late = true));
    await new Promise(setImmediate);
    await new Promise(setImmediate);
    beBusy(2 * WAIT_MS);
    // As by a socket, which is looked at before the second.
    setImmediate(stop);
    await new Promise((resolve) => setTimeout(resolve, WAIT_MS));
    expect(late).toBe(false);
  });

  it('calls back when no reply arrives', async () => {
    await new Promise<void>((resolve) => afterSending(WAIT_MS, resolve));
  });

  it('does not call back once it is stopped', async () => {
    let late = false;
    afterSending(1, () => (late = true))();
    await new Promise<void>((resolve) => afterSending(2, resolve));
    expect(late).toBe(false);
  });
});
