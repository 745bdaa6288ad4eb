import { V7Generator } from 'uuidv7';

const generator = new V7Generator();
// 2^48 - 1 ms, all of a UUIDv7's time: by default, ids lose their order when the clock is set back by more than 10 s.
generator.setRollbackAllowance(0xffff_ffff_ffff);

/** A UUIDv7 that is higher than any that this process made before, however the clock is set. */
export function newRowId(): string {
  return generator.generate().toString();
}
