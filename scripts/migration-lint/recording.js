/** @typedef {import('../../src/migrator/migration.js').Migration} Migration */
/** @typedef {import('./lint.js').Recording} Recording */

/**
 * What a migration sends, by `recordStatements` of the build, and whether that is all: it passes over the error that
 * ended it.
 *
 * @param {Migration} migration
 * @param {'up' | 'down'} direction
 * @param {typeof import('../../src/migrator/history/recorded-statements.js').recordStatements} recordStatements
 * @returns {Promise<Recording>}
 */
export async function record(migration, direction, recordStatements) {
  const statements = await recordStatements(migration, direction);
  const queries = statements.map(({ sql }) => sql);
  const stoppedBy = await failureOf(migration, direction);
  return stoppedBy === undefined ? { queries } : { queries, stoppedBy };
}

/**
 * @param {Migration} migration
 * @param {'up' | 'down'} direction
 * @returns {Promise<string | undefined>}
 */
async function failureOf(migration, direction) {
  if (typeof migration[direction] !== 'function') return `there is no ${direction}()`;
  const runner = new Proxy(
    { query: () => Promise.resolve([]) },
    {
      get(target, property) {
        if (property === 'query') return target.query;
        throw new Error(`it calls queryRunner.${String(property)}`);
      },
    },
  );
  try {
    await migration[direction](/** @type {never} */ (runner));
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
