import * as z from 'zod';

const NUL = '\u0000';

/** Pattern, for the OpenAPI document, of text that is not empty when trimmed. */
export const NOT_BLANK = '^[^\\x00]*[^\\s\\x00][^\\x00]*$';

/**
 * Text that PostgreSQL can store and UTF-8 can encode: no NUL and no lone surrogate. Lengths count code points, as
 * PostgreSQL does, not UTF-16 units.
 */
export function text(min: number, max: number) {
  return z
    .string()
    .refine(
      (value) => !value.includes(NUL) && value.isWellFormed(),
      'must not contain NUL or a lone surrogate',
    )
    .refine((value) => lengthWithin(value, min, max), `must have ${min} to ${max} characters`)
    .meta({ minLength: min, maxLength: max, pattern: '^[^\\x00]*$' });
}

function lengthWithin(value: string, min: number, max: number): boolean {
  // A character has one or two UTF-16 units: most lengths are settled without counting.
  if (value.length < min || value.length > max * 2) return false;
  if (value.length >= min * 2 && value.length <= max) return true;
  const characters = [...value].length;
  return characters >= min && characters <= max;
}
