/** The little of autocannon that is used here. https://github.com/mcollina/autocannon#api */
declare module 'autocannon' {
  export interface Request {
    method: string;
    path: string;
    headers: Record<string, string>;
    body?: string;
  }

  export interface Client {
    setRequests(requests: Request[]): void;
  }

  export interface Result {
    errors: number;
    non2xx: number;
  }

  export interface Instance extends PromiseLike<Result> {
    on(
      event: 'response',
      /** @param durationMs with a fraction */
      listener: (client: Client, statusCode: number, bytes: number, durationMs: number) => void,
    ): this;
    stop(): void;
  }

  export default function autocannon(options: {
    url: string;
    connections: number;
    duration: number;
    bailout: number;
    setupClient: (client: Client) => void;
  }): Instance;
}
