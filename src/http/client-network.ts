import { isIPv6 } from 'node:net';

/** An IPv6 client has a network of 2^64 addresses to itself (RFC 6177), and is counted as one. */
export function networkOf(ip: string): string {
  if (!isIPv6(ip)) return ip;
  // ::ffff:192.0.2.1 is an IPv4 client of a socket that takes both.
  if (ip.includes('.')) return ip.slice(ip.lastIndexOf(':') + 1);
  const [head = '', tail] = (ip.split('%', 1)[0] ?? ip).split('::');
  const groups = head === '' ? [] : head.split(':');
  if (tail !== undefined) {
    const after = tail === '' ? [] : tail.split(':');
    groups.push(...Array<string>(8 - groups.length - after.length).fill('0'), ...after);
  }
  const network = groups.slice(0, 4).map((group) => parseInt(group, 16).toString(16));
  return `${network.join(':')}::/64`;
}
