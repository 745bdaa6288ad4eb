/** @typedef {import('./sign-up.js').Account} Account */

/**
 * @typedef {object} Subjects whom and what the requests are about
 * @property {Account[]} accounts
 * @property {{ id: string, account: Account }[]} entries in no order
 *
 * @typedef {object} Case
 * @property {string} title
 * @property {number} status of every answer
 * @property {(subjects: Subjects) => import('autocannon').Request[]} requests sent over and over, in this order
 * @property {readonly string[]} [differs] members of the answer in which two programs may differ
 */

/** Fewer than the 10 000 values that the service's memory keeps. */
const CACHED_ENTRIES = 1000;

/** In the order in which they run: `create` last of those on the table, for it makes it grow. */
/** @type {Readonly<Record<string, Case>>} */
export const CASES = {
  list: {
    title: 'GET /entries?limit=20',
    status: 200,
    requests: ({ accounts }) => accounts.map((account) => get('/entries?limit=20', account)),
    // Opaque, and each program reads its own.
    differs: ['nextCursor'],
  },
  read: {
    title: 'GET /entries/:id, 20 000 ids',
    status: 200,
    requests: ({ entries }) => entries.map(({ id, account }) => get(`/entries/${id}`, account)),
  },
  'read-cached': {
    title: 'GET /entries/:id, 1000 ids',
    status: 200,
    requests: ({ entries }) =>
      entries.slice(0, CACHED_ENTRIES).map(({ id, account }) => get(`/entries/${id}`, account)),
  },
  create: {
    title: 'POST /entries',
    status: 201,
    requests: ({ accounts }) =>
      accounts.map((account, index) => ({
        method: 'POST',
        path: '/entries',
        headers: { ...authorization(account), 'content-type': 'application/json' },
        body: JSON.stringify({
          text: `Walked by the river for an hour, met nobody, and thought of number ${index}. `.repeat(2),
          mood: 1 + (index % 10),
          category: 'health',
          tags: ['river', 'walk'],
        }),
      })),
    differs: ['id', 'occurredAt', 'createdAt', 'updatedAt'],
  },
  health: {
    title: 'GET /health',
    status: 200,
    requests: () => [{ method: 'GET', path: '/health', headers: {} }],
  },
};

export const CASE_NAMES = Object.keys(CASES);

/** So many entries are asked for by id in turn that the service's memory has forgotten one when it comes again. */
export const ENTRIES_ASKED_FOR = 20_000;

/**
 * @param {string} path
 * @param {Account} account
 */
function get(path, account) {
  return { method: 'GET', path, headers: authorization(account) };
}

/** @param {Account} account */
function authorization({ accessToken }) {
  return { authorization: `Bearer ${accessToken}` };
}
