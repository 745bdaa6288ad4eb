import 'reflect-metadata';
import { createApp } from './app.setup.js';
import { ConfigError, EXIT_CONFIG, loadConfig, type Config } from './config/config.js';
import { isExpected } from './database/expected-errors.js';
import { messageOf } from './observability/error-description.js';
import { refuseDebuggerBySignal, stepLevelBySignal } from './observability/log-level.js';
import { createLogger, exitOnceWritten } from './observability/logger.js';
import { nameSourcesInStacks } from './observability/stack-trace.js';
import { OpenRequests } from './http/open-requests.js';
import { listenForShutdown, watchStopping } from './shutdown.js';
import { onceUsed, releaseStartMemory } from './start-memory.js';

/**
 * Starts the service, which ends with the process.
 *
 * @param compile has V8 compile from now on; until it is called the service is interpreted
 */
export async function serve(compile: () => void): Promise<void> {
  nameSourcesInStacks();
  await boot(readConfig(), compile);
}

function readConfig(): Config {
  try {
    return loadConfig();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    console.error(error.message);
    process.exit(EXIT_CONFIG);
  }
}

async function boot(config: Config, compile: () => void): Promise<void> {
  const logger = await createLogger(config.log);
  stepLevelBySignal(logger);
  refuseDebuggerBySignal(logger);
  // Node would print the error with all that hangs on it: of a failed query, the parameters.
  process.on('uncaughtException', (error: unknown) => {
    logger.fatal({ err: error }, `uncaught: ${messageOf(error)}`);
    exitOnceWritten(logger, 1);
  });
  const shutdown = listenForShutdown(
    { timeoutMs: config.http.shutdownTimeoutMs, drainMs: config.http.shutdownDrainMs },
    logger,
  );
  const { host, port } = config.http;
  try {
    const app = await createApp(config, logger);
    const fastify = app.getHttpAdapter().getInstance();
    onceUsed(fastify, compile);
    const requests = app.get(OpenRequests);
    const stopping = watchStopping(app);
    shutdown.onSignal({
      announce: () => requests.announceEnd(),
      breakOff: () => requests.breakOff(),
      close: () => app.close(),
      stillOpen: () => [...requests.describe(), ...stopping()],
    });
    await app.init();
    // A port that opens now would only have to be closed again.
    if (shutdown.begun) return;
    const address = await fastify.listen({ host, port });
    const url = address.replace('0.0.0.0', 'localhost').replace('[::]', 'localhost');
    logger.info(`listening on ${url}${config.docs.enabled ? `, its API is described at ${url}/docs` : ''}`);
    releaseStartMemory();
  } catch (error) {
    // What could not be begun, as it was to end.
    if (shutdown.begun) return;
    if (isExpected(error)) logger.fatal(error.message);
    else logger.fatal(describeListenError(error, config) ?? error);
    exitOnceWritten(logger, 1);
  }
}

function describeListenError(error: unknown, { http, metrics }: Config): string | undefined {
  const { code, port = http.port } = (error ?? {}) as { code?: string; port?: number };
  const { host } = http;
  const name = port === metrics.port ? 'METRICS_PORT' : 'PORT';
  switch (code) {
    case 'EADDRINUSE':
      return `port ${port} on ${host} is in use: stop what listens there, or set ${name} to another`;
    case 'EACCES':
      return `port ${port} on ${host} is not for this user: set ${name} to 1024 or above`;
    case 'EADDRNOTAVAIL':
      return `${host} is no address of this machine: set HOST to one that is, or to 0.0.0.0`;
    default:
      return undefined;
  }
}
