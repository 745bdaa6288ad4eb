import { tsImport } from 'tsx/esm/api';

// Jest leaves the loading of this file to Node, which reads no TypeScript.
const { SkippedTestsReporter } = await tsImport('./skipped-tests-reporter.ts', import.meta.url);
export default SkippedTestsReporter;
