import { connect } from 'node:net';

/**
 * Sends bytes unchanged, which `fetch` would not, and waits until the connection is closed.
 *
 * @param end how the client ends the connection after it has sent the bytes; by default it waits for the server
 * @returns everything that was received, as Latin-1
 */
export async function sendRaw(
  url: string,
  bytes: string | Buffer,
  end?: 'closes' | 'resets',
): Promise<string> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  socket.on('error', () => {});
  socket.write(bytes, () => {
    if (end === 'closes') socket.destroy();
    if (end === 'resets') socket.resetAndDestroy();
  });
  let received = '';
  socket.setEncoding('latin1').on('data', (chunk: string) => (received += chunk));
  await new Promise((resolve) => socket.once('close', resolve));
  return received;
}
