import type { MiddlewareCallbackParams } from 'openapi-fetch';
import type { SignedIn } from './openapi.js';

export type Tokens = Pick<SignedIn, 'accessToken' | 'refreshToken'>;
export type OnTokens = (tokens: Tokens | undefined) => void | Promise<void>;
export type Fetch = (request: Request) => Promise<Response>;

/** They return tokens. Their 401 is not about the access token. */
const SIGN_IN = ['/auth/register', '/auth/login', '/auth/refresh'];
const SIGN_OUT = ['POST /auth/logout', 'POST /auth/logout-all', 'DELETE /users/me'];

/** The session has ended. After other errors of /auth/refresh, such as 503, the refresh token is still valid. */
const REFUSED = [400, 401, 403, 422];

/** Middleware that sends the tokens, refreshes them, and learns them from sign-ins. */
export class Session {
  /** A body that may be a stream or of any length is not sent again. */
  private readonly sent = new WeakMap<Request, { tokens: Tokens; again: Request | undefined }>();
  private refreshing: Promise<Response> | undefined;

  constructor(
    private readonly baseUrl: string,
    private readonly fetch: Fetch,
    private readonly onTokens: OnTokens | undefined,
    public tokens: Tokens | undefined,
  ) {}

  onRequest({ request, schemaPath }: MiddlewareCallbackParams): void {
    if (!this.tokens || SIGN_IN.includes(schemaPath) || request.headers.has('authorization')) return;
    const isJson = (request.headers.get('content-type') ?? 'application/json') === 'application/json';
    this.sent.set(request, { tokens: this.tokens, again: isJson ? request.clone() : undefined });
    request.headers.set('authorization', `Bearer ${this.tokens.accessToken}`);
  }

  async onResponse(call: MiddlewareCallbackParams & { response: Response }): Promise<Response> {
    const { request, response, schemaPath } = call;
    if (response.ok && SIGN_IN.includes(schemaPath)) await this.keep(await tokensOf(response));
    if (response.ok && SIGN_OUT.includes(`${request.method} ${schemaPath}`)) await this.keep(undefined);
    const sent = this.sent.get(request);
    if (response.status !== 401 || !sent) return response;

    // If they differ, another request has refreshed them.
    if (this.tokens === sent.tokens) {
      this.refreshing ??= this.refresh(sent.tokens).finally(() => (this.refreshing = undefined));
      const refresh = await this.refreshing;
      if (this.tokens === sent.tokens) return refresh.clone();
    }
    if (!this.tokens || !sent.again) return response;
    sent.again.headers.set('authorization', `Bearer ${this.tokens.accessToken}`);
    return this.fetch(sent.again);
  }

  /** @returns the response; the tokens stay as they are if it neither replaces nor refuses them */
  private async refresh(tokens: Tokens): Promise<Response> {
    const body = JSON.stringify({ refreshToken: tokens.refreshToken });
    const headers = { 'content-type': 'application/json' };
    const request = new Request(`${this.baseUrl}/auth/refresh`, { method: 'POST', headers, body });
    const response = await this.fetch(request);
    const next = response.ok ? await tokensOf(response) : undefined;
    // Unless the user has signed in or out meanwhile.
    if (this.tokens === tokens && (next || REFUSED.includes(response.status))) await this.keep(next);
    return response;
  }

  private async keep(tokens: Tokens | undefined): Promise<void> {
    this.tokens = tokens;
    await this.onTokens?.(tokens);
  }
}

async function tokensOf(response: Response): Promise<Tokens> {
  const { accessToken, refreshToken } = (await response.clone().json()) as SignedIn;
  return { accessToken, refreshToken };
}
