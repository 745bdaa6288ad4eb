import { isIPv4, isIPv6 } from 'node:net';

/** With a port, as some proxies write it into X-Forwarded-For. */
const IPV4_WITH_PORT = /^([\d.]+):\d+$/;
const IPV6_IN_BRACKETS = /^\[(.+)\](?::\d+)?$/;

/**
 * What requests of one client have in common: an IPv4 address, or 64 bits of IPv6, which a client has to itself
 * (RFC 6177). What is no address is `unknown`, all of it: whoever may choose the words would have a limit for each.
 */
export function networkOf(ip: string): string {
  const address = (IPV4_WITH_PORT.exec(ip) ?? IPV6_IN_BRACKETS.exec(ip))?.[1] ?? ip;
  if (isIPv4(address)) return address;
  if (!isIPv6(address)) return 'unknown';
  const groups = groupsOf(address);
  // ::ffff:192.0.2.1 is an IPv4 client of a socket that takes both.
  if (groups.slice(0, 6).join() === '0,0,0,0,0,65535') return ipv4Of(groups.slice(6));
  return `${groups
    .slice(0, 4)
    .map((group) => group.toString(16))
    .join(':')}::/64`;
}

/** The eight numbers of 16 bits. */
function groupsOf(address: string): number[] {
  const [head = '', tail] = (address.split('%', 1)[0] ?? address).split('::');
  const before = numbersOf(head);
  if (tail === undefined) return before;
  const after = numbersOf(tail);
  return [...before, ...Array<number>(8 - before.length - after.length).fill(0), ...after];
}

function numbersOf(part: string): number[] {
  if (part === '') return [];
  return part.split(':').flatMap((group) => {
    if (!group.includes('.')) return parseInt(group, 16);
    const [a = 0, b = 0, c = 0, d = 0] = group.split('.').map(Number);
    return [a * 256 + b, c * 256 + d];
  });
}

function ipv4Of(groups: readonly number[]): string {
  return groups.flatMap((group) => [group >> 8, group & 255]).join('.');
}
