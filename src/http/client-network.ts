import { isIPv4, isIPv6 } from 'node:net';
import ipaddr from 'ipaddr.js';

/** With a port, as some proxies write X-Forwarded-For. */
const IPV4_WITH_PORT = /^([\d.]+):\d+$/;
const IPV6_IN_BRACKETS = /^\[(.+)\](?::\d+)?$/;

/**
 * An address without port, brackets and zone. Anything else is `unknown`: some proxies pass on what a client writes into
 * X-Forwarded-For, and it appears in mails.
 */
export function addressOf(ip: string): string {
  const host = (IPV4_WITH_PORT.exec(ip) ?? IPV6_IN_BRACKETS.exec(ip))?.[1] ?? ip;
  if (isIPv4(host)) return host;
  return isIPv6(host) ? (host.split('%', 1)[0] ?? '') : 'unknown';
}

/**
 * The key by which one client is limited: its IPv4 address, or the /64 network of its IPv6 address, as a client has all
 * of that network (RFC 6177). Anything else is `unknown`: with a key for each text, a client could choose a new one
 * each time.
 */
export function networkOf(ip: string): string {
  const host = addressOf(ip);
  if (!isIPv6(host)) return host;
  const address = ipaddr.IPv6.parse(host);
  // ::ffff:192.0.2.1 is an IPv4 client of a socket that takes both.
  if (address.isIPv4MappedAddress()) return address.toIPv4Address().toString();
  return `${new ipaddr.IPv6([...address.parts.slice(0, 4), 0, 0, 0, 0]).toString()}/64`;
}
