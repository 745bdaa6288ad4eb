import { randomBytes } from 'node:crypto';

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

  get account(): Account {
    if (!this.signedIn) throw new Error('this client is not signed in');
    return this.signedIn;
  }

  async signUp(
    fields: { email?: string; password?: string; displayName?: string } = {},
    headers?: RequestOptions['headers'],
  ): Promise<ApiClient> {
    const account = { email: randomEmail(), password: 'correct horse battery', ...fields };
    const { status, text, body } = await this.post('/auth/register', account, headers);
    if (status !== 201) throw new Error(`cannot register: ${status} ${text}`);
    const { user, accessToken, refreshToken } = body;
    return this.as({ ...account, userId: user.id, accessToken, refreshToken });
  }

  /** Logs in again: another session of the same account. */
  async logIn(headers?: RequestOptions['headers']): Promise<ApiClient> {
    const { email, password } = this.account;
    const { status, text, body } = await this.post('/auth/login', { email, password }, headers);
    if (status !== 200) throw new Error(`cannot log in: ${status} ${text}`);
    const { accessToken, refreshToken } = body;
    return this.as({ ...this.account, accessToken, refreshToken });
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

export function randomEmail(): string {
  return `user-${randomBytes(8).toString('hex')}@example.org`;
}
