import { createServer, type AddressInfo } from 'node:net';

/**
 * A TCP port of 127.0.0.1 that nothing listens on at this moment.
 *
 * @param preferred is returned if it is free
 */
export function freePort(preferred = 0): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', (error) => (preferred === 0 ? reject(error) : resolve(freePort())));
    server.listen(preferred, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}
