import { describe, expect, it } from '@jest/globals';
import { addressOf, networkOf } from './client-network.js';

describe('networkOf', () => {
  it.each([
    ['192.0.2.1', '192.0.2.1'],
    ['192.0.2.1:4711', '192.0.2.1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['::ffff:c000:201', '192.0.2.1'],
    ['0:0:0:0:0:FFFF:192.0.2.1', '192.0.2.1'],
    ['[2001:db8:1:2::3]:443', '2001:db8:1:2::/64'],
    ['[2001:db8:1:2::3]', '2001:db8:1:2::/64'],
    ['64:ff9b::192.0.2.1', '64:ff9b::/64'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:db8:1:2::', '2001:db8:1:2::/64'],
    ['2001:0DB8:0001:0002::9', '2001:db8:1:2::/64'],
    ['2001:db8::1', '2001:db8::/64'],
    ['::1', '::/64'],
    ['::', '::/64'],
    ['fe80::1%eth0', 'fe80::/64'],
  ])('%s has the key %s', (ip, network) => {
    expect(networkOf(ip)).toBe(network);
  });

  it.each(['', 'unknown', '_hidden', '192.0.2', '192.0.2.256', '1.2.3.4:x', '[::1', 'x'.repeat(9000)])(
    'uses one key for everything that is not an address: %j',
    (text) => {
      expect(networkOf(text)).toBe('unknown');
    },
  );
});

describe('addressOf', () => {
  it.each([
    ['192.0.2.1', '192.0.2.1'],
    ['192.0.2.1:4711', '192.0.2.1'],
    ['2001:db8:1:2::3', '2001:db8:1:2::3'],
    ['[2001:db8:1:2::3]:443', '2001:db8:1:2::3'],
    ['fe80::1%example.org', 'fe80::1'],
    ['https://example.org', 'unknown'],
    ['', 'unknown'],
  ])('%s is %s', (ip, address) => {
    expect(addressOf(ip)).toBe(address);
  });
});
