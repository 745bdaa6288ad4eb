/** Routes that monitoring requests every few seconds. */
export const PROBE_ROUTES: ReadonlySet<string> = new Set(['/health', '/health/live', '/metrics']);
