import { nameOf, within } from './syntax.js';

/**
 * PostgreSQL's functions, of those that are common in a default, that give the same value for every row of one
 * statement. Any other counts as volatile, as in `CREATE FUNCTION`: PostgreSQL then computes a value for each row.
 */
export const STEADY_FUNCTIONS: ReadonlySet<string> = new Set(
  `abs age array_fill btrim ceil char_length chr concat concat_ws current_database current_schema current_setting
   date_part date_trunc decode encode extract floor format hashtext initcap json_build_array json_build_object
   jsonb_build_array jsonb_build_object left length lower lpad ltrim make_date make_interval make_time
   make_timestamp make_timestamptz md5 now octet_length repeat replace reverse right round rpad rtrim sha256
   statement_timestamp string_to_array substr substring timezone to_char to_date to_json to_jsonb to_number
   to_timestamp to_tsvector transaction_timestamp trunc upper`.split(/\s+/),
);

/**
 * The first function in an expression that may give each row another value.
 *
 * @param declaredSteady functions that the migrations made STABLE or IMMUTABLE
 */
export function volatileFunction(
  expression: unknown,
  declaredSteady: ReadonlySet<string>,
): string | undefined {
  return within(expression, 'FuncCall')
    .map(({ funcname }) => nameOf(funcname))
    .find((name) => !STEADY_FUNCTIONS.has(name) && !declaredSteady.has(name));
}
