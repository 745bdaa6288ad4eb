import { beforeAll, describe, expect, it } from '@jest/globals';
import { fastify } from 'fastify';
import { AllowedMethods } from './allowed-methods.js';

describe('AllowedMethods', () => {
  const allowed = new AllowedMethods();
  beforeAll(async () => {
    const server = fastify();
    allowed.observe(server);
    const handler = () => null;
    server.get('/entries', handler);
    server.post('/entries', handler);
    server.get('/entries/:id', handler);
    server.route({ method: ['PATCH', 'DELETE'], url: '/entries/:id', handler });
    server.get('/entries/trash', handler);
    server.post('/entries/:id/restore', handler);
    server.route({ method: 'OPTIONS', url: '*', handler });
    await server.ready();
    await server.close();
  });

  it.each([
    ['/entries', ['GET', 'HEAD', 'POST']],
    ['/entries?limit=1', ['GET', 'HEAD', 'POST']],
    ['/entries/0195503c', ['DELETE', 'GET', 'HEAD', 'PATCH']],
    ['/entries/0195503c/restore', ['POST']],
    ['/entries/trash', ['GET', 'HEAD']],
  ])('of %s are %j', (url, methods) => {
    expect(allowed.of(url)).toEqual(methods);
  });

  it.each(['/', '', '/entries/', '/entries/a/b', '/nothing', '/entries/%zz', '//', '*'])(
    'of %j, where there is nothing, are none',
    (url) => {
      expect(allowed.of(url)).toEqual([]);
    },
  );
});
