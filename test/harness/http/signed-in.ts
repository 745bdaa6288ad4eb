import { expect } from '@jest/globals';
import { INSTANT, UUID } from './formats.js';

/** The body of the response to a registration, a login and a refresh. */
export const SIGNED_IN = {
  user: {
    id: expect.stringMatching(UUID),
    email: expect.any(String),
    emailVerifiedAt: null,
    displayName: null,
    timezone: 'UTC',
    role: 'user',
    createdAt: expect.stringMatching(INSTANT),
    updatedAt: expect.stringMatching(INSTANT),
  },
  accessToken: expect.stringMatching(/^[\w-]+\.[\w-]+\.[\w-]+$/),
  tokenType: 'Bearer',
  expiresIn: 900,
  refreshToken: expect.stringMatching(/^[\w-]{43,}$/),
};
