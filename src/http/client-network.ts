import { isIPv4, isIPv6 } from 'node:net';
import ipaddr from 'ipaddr.js';

/** With a port, as some proxies write X-Forwarded-For. */
const IPV4_WITH_PORT = /^([\d.]+):\d+$/;
const IPV6_IN_BRACKETS = /^\[(.+)\](?::\d+)?$/;

/**
 * The key by which one client is limited: its IPv4 address, or the /64 network of its IPv6 address, as a client has all
 * of that network (RFC 6177). Anything else is `unknown`: with a key for each text, a client could choose a new one
 * each time.
 */
export function networkOf(ip: string): string {
  const host = (IPV4_WITH_PORT.exec(ip) ?? IPV6_IN_BRACKETS.exec(ip))?.[1] ?? ip;
  if (isIPv4(host)) return host;
  if (!isIPv6(host)) return 'unknown';
  const [withoutZone = ''] = host.split('%', 1);
  const address = ipaddr.IPv6.parse(withoutZone);
  // ::ffff:192.0.2.1 is an IPv4 client of a socket that takes both.
  if (address.isIPv4MappedAddress()) return address.toIPv4Address().toString();
  return `${new ipaddr.IPv6([...address.parts.slice(0, 4), 0, 0, 0, 0]).toString()}/64`;
}
