import { describe, expect, it } from '@jest/globals';
import { retryDeadlocks } from './deadlock.js';

const deadlock = () => Object.assign(new Error('deadlock detected'), { code: '40P01' });

/** Throws the errors one after another, then returns how often it was called. */
function failingWith(...errors: readonly Error[]) {
  let calls = 0;
  const work = () => {
    const error = errors[calls++];
    return error ? Promise.reject(error) : Promise.resolve(calls);
  };
  return { work, calls: () => calls };
}

describe('retryDeadlocks', () => {
  it('runs once what succeeds', async () => {
    expect(await retryDeadlocks(failingWith().work)).toBe(1);
  });

  it('runs again what PostgreSQL ended because of a deadlock, twice', async () => {
    expect(await retryDeadlocks(failingWith(deadlock()).work)).toBe(2);
    expect(await retryDeadlocks(failingWith(deadlock(), deadlock()).work)).toBe(3);
  });

  it('throws the third deadlock', async () => {
    const errors = [deadlock(), deadlock(), deadlock()];
    const { work, calls } = failingWith(...errors);
    await expect(retryDeadlocks(work)).rejects.toBe(errors[2]);
    expect(calls()).toBe(3);
  });

  it.each([
    ['without a code', new Error('no')],
    ['with another code', Object.assign(new Error('serialization failure'), { code: '40001' })],
  ])('throws an error %s at once', async (_what, error) => {
    const { work, calls } = failingWith(error);
    await expect(retryDeadlocks(work)).rejects.toBe(error);
    expect(calls()).toBe(1);
  });
});
