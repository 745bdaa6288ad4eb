import { randomBytes } from 'node:crypto';

/** @typedef {{ userId: string, accessToken: string }} Account */

/**
 * Registers a user with a password that nobody knows.
 *
 * @param {string} url of the service
 * @param {string} email
 * @param {AbortSignal} [signal]
 * @returns {Promise<Account>}
 */
export async function signUp(url, email, signal) {
  const response = await fetch(`${url}/auth/register`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ email, password: randomBytes(16).toString('hex') }),
    ...(signal && { signal }),
  });
  if (response.status !== 201) throw new Error(`POST /auth/register: ${response.status}`);
  const { user, accessToken } = /** @type {{ user: { id: string }, accessToken: string }} */ (
    await response.json()
  );
  return { userId: user.id, accessToken };
}
