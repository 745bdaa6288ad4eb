import * as z from 'zod';

/**
 * A number in a query string. Only digits, because `Number` also accepts 0x10, 1e1 and blanks.
 *
 * @param described metadata of the inner schema: that of the preprocess step is missing in the OpenAPI document
 */
export function wholeNumber(
  min: number,
  max: number,
  message = `must be a whole number from ${min} to ${max}`,
  described: { default?: number } = {},
) {
  return z.preprocess(
    (value) => (typeof value === 'string' && /^\d{1,16}$/.test(value) ? Number(value) : value),
    z.int(message).min(min, message).max(max, message).meta(described),
  );
}
