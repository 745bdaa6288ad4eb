export type JsonSchema = Readonly<Record<string, unknown>>;

/** Keywords that say something to people and nothing of the value. */
const ANNOTATIONS = new Set(['description', 'title', 'default', 'example', 'examples', 'format']);

/**
 * Checks a value against a schema of an OpenAPI 3.1 document, which is JSON Schema 2020-12.
 *
 * @param document resolves `$ref`
 * @returns what is wrong, as `path: reason`
 * @throws {Error} at a keyword that this check does not know, rather than passing over it
 */
export function schemaFaults(value: unknown, schema: JsonSchema, document: object, path = '$'): string[] {
  return Object.entries(schema).flatMap(([keyword, argument]) => {
    if (ANNOTATIONS.has(keyword)) return [];
    const check = CHECKS[keyword];
    if (!check) throw new Error(`${path}: the keyword ${keyword} is not known here`);
    return check({ value, argument, schema, document, path });
  });
}

/** @throws {Error} where there is nothing at the reference */
export function resolveReference(reference: string, document: object): JsonSchema {
  let found: unknown = document;
  for (const segment of reference.replace(/^#\//, '').split('/')) {
    found = (found as Readonly<Record<string, unknown>> | undefined)?.[segment];
  }
  if (!isObject(found)) throw new Error(`${reference} leads nowhere`);
  return found;
}

interface Check {
  readonly value: unknown;
  /** What the keyword is given. */
  readonly argument: unknown;
  readonly schema: JsonSchema;
  readonly document: object;
  readonly path: string;
}

const CHECKS: Readonly<Record<string, (check: Check) => string[]>> = {
  $ref: ({ value, argument, document, path }) =>
    schemaFaults(value, resolveReference(argument as string, document), document, path),
  type: ({ value, argument, path }) =>
    fault(
      [argument].flat().some((type) => hasType(value, type as string)),
      path,
      `is no ${String(argument)}`,
    ),
  enum: ({ value, argument, path }) =>
    fault((argument as unknown[]).includes(value), path, `is none of ${String(argument)}`),

  minLength: ({ value, argument, path }) =>
    fault(typeof value !== 'string' || [...value].length >= Number(argument), path, 'is too short'),
  maxLength: ({ value, argument, path }) =>
    fault(typeof value !== 'string' || [...value].length <= Number(argument), path, 'is too long'),
  pattern: ({ value, argument, path }) =>
    fault(
      typeof value !== 'string' || new RegExp(argument as string, 'u').test(value),
      path,
      'has another form',
    ),

  minimum: ({ value, argument, path }) =>
    fault(typeof value !== 'number' || value >= Number(argument), path, 'is too small'),
  maximum: ({ value, argument, path }) =>
    fault(typeof value !== 'number' || value <= Number(argument), path, 'is too large'),

  items: ({ value, argument, document, path }) =>
    Array.isArray(value)
      ? value.flatMap((item, i) => schemaFaults(item, argument as JsonSchema, document, `${path}.${i}`))
      : [],
  minItems: ({ value, argument, path }) =>
    fault(!Array.isArray(value) || value.length >= Number(argument), path, 'has too few items'),
  maxItems: ({ value, argument, path }) =>
    fault(!Array.isArray(value) || value.length <= Number(argument), path, 'has too many items'),

  required: ({ value, argument, path }) =>
    isObject(value)
      ? (argument as string[]).filter((name) => !(name in value)).map((name) => `${path}.${name}: is missing`)
      : [],
  properties: ({ value, argument, document, path }) =>
    isObject(value)
      ? Object.entries(argument as Readonly<Record<string, JsonSchema>>).flatMap(([name, schema]) =>
          name in value ? schemaFaults(value[name], schema, document, `${path}.${name}`) : [],
        )
      : [],
  additionalProperties: ({ value, argument, schema, document, path }) => {
    if (!isObject(value)) return [];
    const known = isObject(schema['properties']) ? schema['properties'] : {};
    return Object.keys(value)
      .filter((name) => !(name in known))
      .flatMap((name) => {
        if (typeof argument === 'boolean') return fault(argument, `${path}.${name}`, 'is not known');
        return schemaFaults(value[name], argument as JsonSchema, document, `${path}.${name}`);
      });
  },

  anyOf: ({ value, argument, document, path }) =>
    fault(
      (argument as JsonSchema[]).some((schema) => schemaFaults(value, schema, document).length === 0),
      path,
      'fits none of the alternatives',
    ),
};

function fault(holds: boolean, path: string, reason: string): string[] {
  return holds ? [] : [`${path}: ${reason}`];
}

function hasType(value: unknown, type: string): boolean {
  switch (type) {
    case 'null':
      return value === null;
    case 'integer':
      return Number.isInteger(value);
    case 'array':
      return Array.isArray(value);
    case 'object':
      return isObject(value);
    default:
      return typeof value === type;
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
