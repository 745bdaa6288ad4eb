export default async function globalTeardown() {
  await /** @type {{ stopTestServers?: () => Promise<void> }} */ (globalThis).stopTestServers?.();
}
