import { describe, expect, it } from '@jest/globals';
import { ServiceUnavailableException } from '@nestjs/common';
import { HashSlots } from './hash-slots.js';

/** Work that ends when the test says so. */
function manualWork() {
  const finish: (() => void)[] = [];
  let most = 0;
  let running = 0;
  return {
    finish,
    most: () => most,
    work: () =>
      new Promise<void>((resolve) => {
        most = Math.max(most, ++running);
        finish.push(() => {
          running -= 1;
          resolve();
        });
      }),
  };
}

describe('HashSlots', () => {
  it('runs at most one work item per slot, and finally all', async () => {
    const slots = new HashSlots(2);
    const { work, finish, most } = manualWork();
    const all = Array.from({ length: 9 }, () => slots.run(work));
    for (let done = 0; done < 9; done++) {
      // Work starts in a microtask.
      await new Promise((resolve) => setImmediate(resolve));
      finish[done]!();
    }
    await Promise.all(all);
    expect(most()).toBe(2);
  });

  it('refuses with 503 when 256 are waiting, and accepts again later', async () => {
    const slots = new HashSlots(1);
    const { work, finish } = manualWork();
    const taken = Array.from({ length: 257 }, () => slots.run(work));
    await expect(slots.run(work)).rejects.toBeInstanceOf(ServiceUnavailableException);
    for (let done = 0; done < 257; done++) {
      await new Promise((resolve) => setImmediate(resolve));
      finish[done]!();
    }
    await Promise.all(taken);
    const later = slots.run(() => Promise.resolve('free again'));
    await expect(later).resolves.toBe('free again');
  });

  it('frees the slot when the work fails', async () => {
    const slots = new HashSlots(1);
    await expect(slots.run(() => Promise.reject(new Error('no memory')))).rejects.toThrow('no memory');
    await expect(slots.run(() => Promise.resolve(1))).resolves.toBe(1);
  });
});
