import 'reflect-metadata';
import { createApp } from './app.setup.js';
import { ConfigError, EXIT_CONFIG, loadConfig } from './config/config.js';
import { createLogger, exitOnceWritten } from './observability/logger.js';
import { handleProcessEvents } from './observability/process-events.js';
import { nameSourcesInStacks } from './observability/stack-trace.js';
import { listenForShutdown, stoppable } from './shutdown.js';
import { describeStartError } from './start-error.js';

async function bootstrap(): Promise<void> {
  nameSourcesInStacks();
  const config = readConfig();
  const logger = await createLogger(config);
  handleProcessEvents(logger);
  const shutdown = listenForShutdown(config.SHUTDOWN_TIMEOUT_MS, logger);
  try {
    const app = await createApp(config, logger);
    shutdown.onSignal(stoppable(app));
    await app.init();
    if (shutdown.begun) return;
    await app.listen(config.PORT, config.HOST);
    const url = await app.getUrl();
    logger.info(`listening on ${url}${config.DOCS_ENABLED ? `, API docs at ${url}/docs` : ''}`);
  } catch (error) {
    if (shutdown.begun) return;
    logger.fatal(describeStartError(error, config));
    exitOnceWritten(logger, 1);
  }
}

function readConfig() {
  try {
    return loadConfig();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    console.error(error.message);
    process.exit(EXIT_CONFIG);
  }
}

await bootstrap();
