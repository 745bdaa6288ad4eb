import type { AggregatedResult, Reporter, TestContext } from '@jest/reporters';

/** Lists at the end which tests did not run: a skipped test is never silent. */
export class SkippedTestsReporter implements Pick<Reporter, 'onRunComplete'> {
  private readonly isFiltered: boolean;

  constructor({ testNamePattern }: { readonly testNamePattern?: string }) {
    this.isFiltered = Boolean(testNamePattern);
  }

  onRunComplete(_contexts: Set<TestContext>, { testResults }: AggregatedResult): void {
    // With -t, tests that do not match were left out on purpose.
    if (this.isFiltered) return;
    const skipped = testResults
      .flatMap((suite) => suite.testResults)
      .filter(({ status }) => status === 'pending' || status === 'todo');
    if (skipped.length === 0) return;
    console.log(
      `\n${skipped.length} tests were skipped, as this machine has no redis-server (or TEST_REDIS_URL), no pgbouncer, no chromium, no schemathesis (.ci/fetch-tools gets it), no pg_dump as new as the server, no PostgreSQL 17 to upgrade from, or no root who could mount a small disk:\n` +
        skipped.map(({ fullName }) => `  - ${fullName}\n`).join(''),
    );
  }
}
