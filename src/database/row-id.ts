import { V7Generator } from 'uuidv7';

const generator = new V7Generator();
// ms, the whole range of a UUIDv7's time. By default, ids lose their order if the clock is set back by more than 10 s.
generator.setRollbackAllowance(0xffff_ffff_ffff);

/** A UUIDv7, higher than all that this process made before, even if the clock was set back. */
export function newRowId(): string {
  return generator.generate().toString();
}
