import { createConnection, createServer, type AddressInfo, type Socket } from 'node:net';

/** A way to a server that can be cut, held and opened again: a network's faults, without a network. */
export class TcpProxy {
  private readonly sockets = new Set<Socket>();
  private readonly held = new Set<Socket>();
  private holding = false;
  private refusing = false;
  private readonly server = createServer((client) => this.connect(client));

  private constructor(private readonly target: { readonly host: string; readonly port: number }) {}

  static async to(host: string, port: number): Promise<TcpProxy> {
    const proxy = new TcpProxy({ host, port });
    await new Promise<void>((resolve) => proxy.server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  /** Ends every connection, and every new one at once, as a server that is down. */
  cut(): void {
    this.refusing = true;
    for (const socket of this.sockets) socket.destroy();
  }

  /** Lets nothing through any more, and says nothing about it, as a server that hangs. */
  hold(): void {
    this.holding = true;
    for (const socket of this.sockets) socket.pause();
  }

  /** Ends {@link cut} and {@link hold}. */
  open(): void {
    this.refusing = false;
    this.holding = false;
    for (const socket of this.sockets) socket.resume();
    for (const client of this.held) this.connect(client);
    this.held.clear();
  }

  async close(): Promise<void> {
    for (const socket of [...this.sockets, ...this.held]) socket.destroy();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private connect(client: Socket): void {
    client.on('error', () => {});
    if (this.refusing) {
      client.destroy();
      return;
    }
    if (this.holding) {
      this.held.add(client);
      return;
    }
    const upstream = createConnection(this.target);
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      this.sockets.add(socket);
      socket.on('data', (chunk) => other.write(chunk));
      socket.on('error', () => other.destroy());
      socket.on('close', () => {
        this.sockets.delete(socket);
        other.destroy();
      });
    }
  }
}
