import { tsImport } from 'tsx/esm/api';

// Jest leaves the loading of this file to Node, which reads no TypeScript.
const { startTestServers } = await tsImport('../servers/test-servers.ts', import.meta.url);
export default startTestServers;
