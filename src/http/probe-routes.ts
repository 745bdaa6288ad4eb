/** Asked every few seconds by machines, of how the service is. */
export const PROBE_ROUTES: ReadonlySet<string> = new Set(['/health', '/health/live', '/metrics']);
