/** Says at the end which tests did not run, and why: a skipped test is never silent. */
export default class LeftOutReporter {
  /** @param {{ testNamePattern?: string }} globalConfig */
  constructor({ testNamePattern }) {
    this.chosen = Boolean(testNamePattern);
  }

  /**
   * @param {unknown} _contexts
   * @param {import('@jest/reporters').AggregatedResult} results
   */
  onRunComplete(_contexts, results) {
    // With -t, what does not match is left out because it was asked for.
    if (this.chosen) return;
    const leftOut = results.testResults.flatMap(({ testResults }) =>
      testResults
        .filter(({ status }) => status === 'pending' || status === 'todo')
        .map(({ fullName }) => fullName),
    );
    if (leftOut.length === 0) return;
    console.log(
      `\nLeft out, as this machine has no redis-server (or TEST_REDIS_URL), no pgbouncer, no pg_dump as new as the server, no PostgreSQL 17 to come from, or no root who could mount a small disk: ${leftOut.length} tests\n` +
        leftOut.map((name) => `  - ${name}\n`).join(''),
    );
  }
}
