import { randomBytes } from 'node:crypto';
import {
  createClient,
  orThrow,
  type EntriesClient,
  type SignedIn,
  type Tokens,
} from '../../../client/src/index.js';

export interface ApiResponse {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** The body as JSON; undefined where it is none. Untyped on purpose: tests look at what was really sent. */
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  readonly body: any;
}

export interface RequestOptions {
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON, unless it is a string or a Buffer, which is sent as it is. */
  readonly body?: unknown;
}

export interface Account {
  readonly email: string;
  readonly password: string;
  readonly userId: string;
  readonly accessToken: string;
  readonly refreshToken: string;
}

/** What a REST client is to the service. */
export class ApiClient {
  constructor(
    readonly url: string,
    private readonly signedIn?: Account,
  ) {}

  /** The published client. A refresh must not hide that the service refuses an access token. */
  get typed(): EntriesClient {
    const onTokens = () => {
      throw new Error('the access token of the test is refused');
    };
    return createClient({ baseUrl: this.url, ...(this.signedIn && { tokens: this.signedIn, onTokens }) });
  }

  get account(): Account {
    if (!this.signedIn) throw new Error('this client is not signed in');
    return this.signedIn;
  }

  async signUp(
    fields: { email?: string; password?: string; displayName?: string } = {},
    headers?: RequestOptions['headers'],
  ): Promise<ApiClient> {
    const body = { email: randomEmail(), password: 'correct horse battery', ...fields };
    const init = { body, ...(headers && { headers }) };
    const signedIn = await orThrow(createClient({ baseUrl: this.url }).POST('/auth/register', init));
    return this.as({ ...body, userId: signedIn.user.id, ...tokensOf(signedIn) });
  }

  /** Logs in again: another session of the same account. */
  async logIn(headers?: RequestOptions['headers']): Promise<ApiClient> {
    const { email, password } = this.account;
    const init = { body: { email, password }, ...(headers && { headers }) };
    const signedIn = await orThrow(createClient({ baseUrl: this.url }).POST('/auth/login', init));
    return this.as({ ...this.account, ...tokensOf(signedIn) });
  }

  /** The same session with new tokens. */
  async refresh(): Promise<ApiClient> {
    const body = { refreshToken: this.account.refreshToken };
    const signedIn = await orThrow(createClient({ baseUrl: this.url }).POST('/auth/refresh', { body }));
    return this.as({ ...this.account, ...tokensOf(signedIn) });
  }

  as(account: Account): ApiClient {
    return new ApiClient(this.url, account);
  }

  withToken(accessToken: string): ApiClient {
    return this.as({ email: '', password: '', userId: '', refreshToken: '', ...this.signedIn, accessToken });
  }

  get(path: string, headers?: RequestOptions['headers']): Promise<ApiResponse> {
    return this.request('GET', path, { ...(headers && { headers }) });
  }

  post(path: string, body?: unknown, headers?: RequestOptions['headers']): Promise<ApiResponse> {
    return this.request('POST', path, { body, ...(headers && { headers }) });
  }

  patch(path: string, body?: unknown, headers?: RequestOptions['headers']): Promise<ApiResponse> {
    return this.request('PATCH', path, { body, ...(headers && { headers }) });
  }

  put(path: string, body?: unknown, headers?: RequestOptions['headers']): Promise<ApiResponse> {
    return this.request('PUT', path, { body, ...(headers && { headers }) });
  }

  delete(path: string, headers?: RequestOptions['headers']): Promise<ApiResponse> {
    return this.request('DELETE', path, { ...(headers && { headers }) });
  }

  async request(method: string, path: string, { headers, body }: RequestOptions = {}): Promise<ApiResponse> {
    const response = await fetch(this.url + path, {
      method,
      redirect: 'manual',
      headers: {
        ...(this.signedIn && { authorization: `Bearer ${this.signedIn.accessToken}` }),
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body !== undefined && {
        body: typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body),
      }),
    });
    const text = await response.text();
    const isJson = /\bjson\b/.test(response.headers.get('content-type') ?? '');
    return {
      status: response.status,
      headers: response.headers,
      text,
      body: isJson && text !== '' ? JSON.parse(text) : undefined,
    };
  }
}

function tokensOf({ accessToken, refreshToken }: SignedIn): Tokens {
  return { accessToken, refreshToken };
}

export function randomEmail(): string {
  return `user-${randomBytes(8).toString('hex')}@example.org`;
}
