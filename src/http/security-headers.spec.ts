import { describe, expect, it } from '@jest/globals';
import { fastify } from 'fastify';
import { addSecurityHeaders } from './security-headers.js';

describe('addSecurityHeaders', () => {
  it('sends what helmet does with every answer, errors too', async () => {
    const server = fastify();
    addSecurityHeaders(server);
    server.get('/', () => ({ ok: true }));
    const url = await server.listen({ host: '127.0.0.1', port: 0 });
    for (const path of ['/', '/nothing']) {
      const { headers } = await fetch(url + path);
      expect(headers.get('content-security-policy')).toContain("default-src 'none'");
      expect(headers.get('x-content-type-options')).toBe('nosniff');
      expect(headers.get('strict-transport-security')).toMatch(/^max-age=\d+/);
      expect(headers.get('referrer-policy')).toBe('no-referrer');
      expect(headers.get('x-powered-by')).toBeNull();
    }
    await server.close();
  });
});
