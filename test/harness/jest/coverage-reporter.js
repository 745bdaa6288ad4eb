import { tsImport } from 'tsx/esm/api';

// Jest leaves the loading of this file to Node, which reads no TypeScript.
const { LineCoverageReporter } = await tsImport('./line-coverage-reporter.ts', import.meta.url);
export default LineCoverageReporter;
