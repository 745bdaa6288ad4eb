/** For scripts/mutation.ts, which names the tests of a subject in MUTATION_TESTS. */
export default {
  testRunner: 'jest',
  testRunnerNodeArgs: ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning'],
  jest: {
    // To find related tests, Jest reads every file, for longer than the time limit of a run: each edit would time out, and
    // count as noticed.
    enableFindRelatedTests: false,
    config: {
      testMatch: [`<rootDir>/${process.env['MUTATION_TESTS']}`],
      globalSetup: null,
      globalTeardown: null,
      reporters: ['default'],
    },
  },
  coverageAnalysis: 'perTest',
  reporters: ['clear-text'],
  tempDirName: '.data/stryker',
  thresholds: { high: 90, low: 80, break: 80 },
  concurrency: 2,
  tsconfigFile: 'not needed',
  ignorePatterns: ['/.data', '/coverage', '/dist', '/bundle', '/docs', '/bench'],
};
