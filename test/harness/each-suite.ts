import { jest } from '@jest/globals';
import fc from 'fast-check';

/** The same cases in every run, so that what fails is due to the change at hand. A property that fails names its own seed. */
fc.configureGlobal({ seed: 20_261_125 });

// Many suites start processes, and end them, side by side on few cores: what fails once is printed and tried once more.
jest.retryTimes(1, { logErrorsBeforeRetry: true });
