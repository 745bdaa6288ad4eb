import * as z from 'zod';
import { wholeNumber } from '../validation/whole-number.schema.js';

/** Most items of a page. */
export const MAX_LIMIT = 100;

export const LimitSchema = wholeNumber(1, MAX_LIMIT, undefined, { default: 20 }).default(20);

export const CursorSchema = z
  .string()
  .min(1)
  .max(512)
  .optional()
  .meta({ description: 'nextCursor of the previous page', pattern: '^[A-Za-z0-9_-]+$' });

export const NextCursorSchema = z.string().nullable().meta({ description: 'null on the last page' });
