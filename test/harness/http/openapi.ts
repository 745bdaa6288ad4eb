import type { ApiClient } from './client.js';
import { resolveReference, type JsonSchema } from './json-schema.js';

type Content = Readonly<Record<string, { schema: JsonSchema }>>;

export interface Operation {
  readonly operationId: string;
  readonly summary?: string;
  readonly description?: string;
  readonly tags?: readonly string[];
  readonly security?: readonly Readonly<Record<string, unknown>>[];
  readonly parameters: readonly { name: string; in: string; required?: boolean; schema: JsonSchema }[];
  readonly requestBody?: { required?: boolean; content: Content };
  readonly responses: Readonly<Record<string, { content?: Content; headers?: object }>>;
}

export interface Document {
  readonly openapi: string;
  readonly info: { title: string; version: string };
  readonly tags: readonly { readonly name: string; readonly description: string }[];
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { schemas: Record<string, JsonSchema>; securitySchemes: Record<string, object> };
}

/** The document of a running service. */
export class OpenApi {
  /** By `METHOD /path`. */
  readonly operations: ReadonlyMap<string, Operation>;

  private constructor(readonly document: Document) {
    this.operations = new Map(
      Object.entries(document.paths).flatMap(([path, methods]) =>
        Object.entries(methods).map(([method, operation]) => [`${method.toUpperCase()} ${path}`, operation]),
      ),
    );
  }

  static async of(client: ApiClient): Promise<OpenApi> {
    return new OpenApi((await client.get('/openapi.json')).body);
  }

  /** @param call `METHOD /path` */
  operation(call: string): Operation {
    const operation = this.operations.get(call);
    if (!operation) throw new Error(`${call} is not described`);
    return operation;
  }

  /** The schema of the JSON body of a request, without `$ref`. */
  bodyOf(call: string): JsonSchema {
    const schema = this.operation(call).requestBody!.content['application/json']!.schema;
    const reference = schema['$ref'];
    return typeof reference === 'string' ? resolveReference(reference, this.document) : schema;
  }
}
