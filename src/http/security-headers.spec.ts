import { describe, expect, it } from '@jest/globals';
import { SECURITY_HEADERS } from './security-headers.js';

describe('SECURITY_HEADERS', () => {
  it("are helmet's, with our content security policy", () => {
    expect(SECURITY_HEADERS).toMatchObject({
      'content-security-policy': expect.stringContaining("default-src 'none'"),
      'x-content-type-options': 'nosniff',
      'strict-transport-security': expect.stringMatching(/^max-age=\d+/),
      'referrer-policy': 'no-referrer',
    });
    expect(SECURITY_HEADERS).not.toHaveProperty('x-powered-by');
  });
});
