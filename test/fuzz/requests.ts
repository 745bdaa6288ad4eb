import fc from 'fast-check';
import type { JsonSchema } from '../harness/http/json-schema.js';
import { hostileText, hostileValue, invalidValue, validValue } from './values.js';

type Content = Readonly<Record<string, { readonly schema: JsonSchema }>>;

export interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, DescribedOperation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, JsonSchema>> };
}

interface DescribedOperation {
  readonly parameters?: readonly {
    readonly name: string;
    readonly in: string;
    readonly required?: boolean;
    readonly schema?: JsonSchema;
  }[];
  readonly requestBody?: { readonly content: Content };
  readonly responses: Readonly<Record<string, { readonly content?: Content }>>;
  readonly security?: readonly object[];
}

export interface Operation extends DescribedOperation {
  readonly method: string;
  /** As OpenAPI writes it. */
  readonly path: string;
}

/** What requests may refer to. */
export interface Session {
  accessToken: string;
  refreshToken: string;
  readonly email: string;
  readonly password: string;
  /** Of entries and of sessions. */
  readonly ids: string[];
  readonly cursors: string[];
}

export interface FuzzRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Buffer;
  /** Whether the path may lead to another operation, or to none. */
  readonly mayMissRoute: boolean;
  readonly isSignedIn: boolean;
}

type Kind = 'valid' | 'invalid' | 'hostile';

export function operationsOf({ paths }: Document): Operation[] {
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      ...operation,
      method: method.toUpperCase(),
      path,
    })),
  );
}

/** Draws the parts of one request; the same request for the same seed, session and operation. */
export class RequestMaker {
  private readonly draw: fc.GeneratorValue;
  private readonly kind: Kind;
  private readonly headers: Record<string, string> = {};

  constructor(
    seed: number,
    private readonly operation: Operation,
    private readonly document: Document,
    private readonly session: Session,
  ) {
    [this.draw] = fc.sample(fc.gen(), { seed, numRuns: 1 }) as [fc.GeneratorValue];
    this.kind = this.pick('valid', 'valid', 'invalid', 'hostile', 'hostile');
  }

  make(): FuzzRequest {
    const { method, path, security } = this.operation;
    let mayMissRoute = false;
    const filled = path.replace(/\{\w+\}/g, () => {
      const id = this.spoils(0.3)
        ? this.draw(() => hostileText)
        : this.pick(...this.session.ids, this.draw(fc.uuid));
      // An empty segment, a dot or a lone surrogate makes the path of another operation, or of none.
      if (['', '.', '..'].includes(id) || !id.isWellFormed()) mayMissRoute = true;
      return encode(id);
    });
    const query = this.query();
    const isSignedIn = security !== undefined && this.signIn();
    const body = this.body();
    for (const { name, in: place } of this.operation.parameters ?? []) {
      if (place !== 'header' || !this.chance(0.5)) continue;
      this.headers[name.toLowerCase()] = this.spoils(0.5)
        ? this.headerText()
        : this.pick('"1"', '*', '"2", W/"1"');
    }
    if (this.kind === 'hostile') this.addHostileHeaders();
    return {
      method,
      path: filled + query,
      headers: this.headers,
      ...(body && { body }),
      mayMissRoute,
      isSignedIn,
    };
  }

  private signIn(): boolean {
    const { accessToken } = this.session;
    if (!this.spoils(0.15)) {
      this.headers['authorization'] = `Bearer ${accessToken}`;
      return true;
    }
    const unsigned = `eyJhbGciOiJub25lIn0.${accessToken.split('.')[1] ?? ''}.`;
    const token = this.pick(
      '',
      'Bearer',
      `Basic ${accessToken}`,
      `Bearer ${accessToken.slice(0, -2)}`,
      `Bearer ${unsigned}`,
      `Bearer ${this.headerText()}`,
    );
    if (token !== '') this.headers['authorization'] = token;
    return false;
  }

  private query(): string {
    const parts = (this.operation.parameters ?? [])
      .filter(({ in: place, required }) => place === 'query' && (required || this.chance(0.35)))
      .flatMap(({ name, schema = {} }) => {
        const valid =
          name === 'cursor' && this.session.cursors.length > 0
            ? this.pick(...this.session.cursors)
            : this.valid(schema);
        const value = this.spoils(0.4) ? this.draw(() => hostileValue) : valid;
        // A list repeats the name.
        return [value].flat(9).map((each) => `${name}=${encode(textOf(each))}`);
      });
    if (this.kind === 'hostile' && this.chance(0.3)) {
      parts.push(`${encode(this.draw(() => hostileText))}=${encode(this.draw(() => hostileText))}`);
      parts.push(
        this.pick('%', '%zz=1', 'a[b]=1', 'limit=1&limit=2', '__proto__[a]=1', '=', '&&&', '%00=%00'),
      );
    }
    return parts.length === 0 ? '' : `?${parts.join('&')}`;
  }

  private body(): Buffer | undefined {
    const { requestBody } = this.operation;
    if (!requestBody) {
      if (!this.spoils(0.25)) return undefined;
      this.headers['content-type'] = 'application/json';
      const text = JSON.stringify(this.draw(() => hostileValue));
      return this.chance(0.5) ? this.spoilt(text) : Buffer.from(text);
    }
    const mediaType = this.pick(...Object.keys(requestBody.content));
    this.headers['content-type'] = mediaType;
    if (mediaType !== 'application/json') return Buffer.from(this.lines(mediaType));
    let value = this.member(requestBody.content[mediaType]?.schema ?? {});
    if (this.kind === 'hostile' && this.chance(0.2)) value = this.draw(() => hostileValue);
    const text = JSON.stringify(this.chance(0.7) ? this.withCredentials(value) : value);
    return this.kind === 'hostile' && this.chance(0.35) ? this.spoilt(text) : Buffer.from(text);
  }

  /** Without the session's own credentials, few requests would get past the door. */
  private withCredentials(value: unknown): unknown {
    if (typeof value !== 'object' || value === null || this.operation.path.endsWith('register')) return value;
    const { email, password, refreshToken } = this.session;
    const own = Object.entries({ email, password, currentPassword: password, refreshToken });
    return { ...value, ...Object.fromEntries(own.filter(([name]) => name in value)) };
  }

  /** Rows of an import. */
  private lines(mediaType: string): string {
    if (this.kind === 'hostile' && this.chance(0.3)) return this.draw(() => hostileText);
    const schema = this.document.components.schemas['EntryCreate'] ?? {};
    const rows = Array.from({ length: this.draw(fc.nat, 4) }, () => this.member(schema));
    if (mediaType !== 'text/csv') return rows.map((row) => JSON.stringify(row)).join('\n');
    const columns = ['text', 'mood', 'category', 'tags', 'occurredAt'];
    const cell = (value: unknown) => `"${textOf(value ?? '').replaceAll('"', '""')}"`;
    const cells = rows.map((row) => columns.map((name) => cell((row as JsonSchema | null)?.[name])));
    return [columns, ...cells].map((row) => row.join(',')).join('\r\n');
  }

  /** A body that is not JSON, not UTF-8, or not what its headers say. */
  private spoilt(text: string): Buffer {
    const bytes = Buffer.from(text);
    const ways: readonly (() => Buffer)[] = [
      () => bytes.subarray(0, this.draw(fc.nat, bytes.length)),
      () => Buffer.concat([bytes.subarray(0, 5), Buffer.from([0xff, 0xfe, 0xc3, 0x28]), bytes.subarray(5)]),
      () => Buffer.from(text, 'utf16le'),
      () => Buffer.from(`\ufeff${text}`),
      () => Buffer.from('['.repeat(50_000) + ']'.repeat(50_000)),
      () => Buffer.from(text + text),
      () => Buffer.from(text.replace(/}$/, ',"__proto__":{"a":1}}')),
      () => Buffer.from('{"a":1e999,"a":-0,"text":"\\ud800"}'),
      () => Buffer.alloc(1_048_577, 'x'),
      () => {
        this.headers['content-encoding'] = this.pick('gzip', 'br', 'nonsense');
        return bytes;
      },
      () => {
        this.headers['content-type'] = this.pick(
          'text/plain',
          'application/xml',
          'multipart/form-data; boundary=a',
          'application/json; charset=utf-16',
          'application/json;;;',
          'nonsense',
          'application/jsonx',
          `application/${'x'.repeat(500)}`,
        );
        return bytes;
      },
    ];
    return this.pick(...ways)();
  }

  private addHostileHeaders(): void {
    const choices = {
      'x-request-id': this.headerText(),
      'x-forwarded-for': this.headerText(),
      'x-forwarded-host': 'evil.example',
      'x-http-method-override': 'DELETE',
      'x-original-url': '/metrics',
      'user-agent': this.headerText(),
      accept: this.pick('text/html', '*/*;q=0', 'nonsense', 'application/xml'),
      'accept-encoding': this.pick('br', '*;q=0', 'nonsense'),
      'if-modified-since': this.headerText(),
      range: this.pick('bytes=0-0', 'bytes=9-1', 'nonsense'),
      origin: this.pick('null', 'https://evil.example', this.headerText()),
      cookie: `a=${this.headerText()}`,
      upgrade: 'websocket',
      'idempotency-key': this.headerText(),
      te: 'trailers, deflate',
    };
    for (const [name, value] of Object.entries(choices)) if (this.chance(0.2)) this.headers[name] = value;
  }

  private valid(schema: JsonSchema): unknown {
    return this.draw(() => validValue(schema, this.document));
  }

  private member(schema: JsonSchema): unknown {
    return this.kind === 'valid' ? this.valid(schema) : this.draw(() => invalidValue(schema, this.document));
  }

  /** Hostile text, as far as Node lets it into a header. */
  private headerText(): string {
    return this.draw(() => hostileText)
      .replace(/[^\t\x20-\x7e\x80-\xff]/g, '?')
      .slice(0, 4000);
  }

  private pick<T>(...choices: readonly T[]): T {
    return this.draw(() => fc.constantFrom(...choices));
  }

  /** fast-check would prefer values at the ends. */
  private chance(probability: number): boolean {
    return this.draw(() => fc.noBias(fc.nat({ max: 99 }))) < probability * 100;
  }

  private spoils(probability: number): boolean {
    return this.kind !== 'valid' && this.chance(probability);
  }
}

function encode(text: string): string {
  return text.isWellFormed() ? encodeURIComponent(text) : '%ED%A0%80';
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}
