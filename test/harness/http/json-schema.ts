import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';

export type JsonSchema = Readonly<Record<string, unknown>>;

/** Strict: an unknown keyword throws. Formats are annotations, as JSON Schema 2020-12 has them by default. */
const ajv = new Ajv2020({
  allErrors: true,
  allowUnionTypes: true,
  validateFormats: false,
  keywords: ['components', 'example'],
});

const validators = new WeakMap<JsonSchema, ValidateFunction>();

/**
 * Checks a value against a schema of an OpenAPI 3.1 document, which is JSON Schema 2020-12.
 *
 * @param document resolves `$ref`
 * @returns what is wrong, as `path: reason`
 * @throws {Error} at a keyword or a reference that is unknown
 */
export function schemaFaults(value: unknown, schema: JsonSchema, document: object): string[] {
  let validate = validators.get(schema);
  if (!validate) {
    const { components } = document as { readonly components?: unknown };
    validate = ajv.compile({ ...schema, components });
    validators.set(schema, validate);
  }
  validate(value);
  return (validate.errors ?? []).map(({ instancePath, message, params }) => {
    return `$${instancePath}: ${message ?? ''} ${JSON.stringify(params)}`;
  });
}

/** @throws {Error} if the reference leads nowhere */
export function resolveReference(reference: string, document: object): JsonSchema {
  let found: unknown = document;
  for (const segment of reference.replace(/^#\//, '').split('/')) {
    found = (found as JsonSchema | undefined)?.[segment];
  }
  if (typeof found !== 'object' || found === null) throw new Error(`${reference} leads nowhere`);
  return found as JsonSchema;
}
