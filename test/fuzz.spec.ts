import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { fuzz } from '../bench/fuzz/fuzz.js';
import { startApp, type TestApp } from './harness/app.js';
import { schemaFaults, type JsonSchema } from './harness/json-schema.js';

/** Fixed, so that nobody's change fails by chance; `npm run fuzz` takes another each time. */
const SEED = 20_261_125;
const REQUESTS = 400;

let service: TestApp;
beforeAll(async () => {
  // With whatever addresses the requests name.
  service = await startApp({ TRUST_PROXY: 'on' });
});
afterAll(() => service.close());

describe(`${REQUESTS} valid, invalid and hostile requests for every operation of the document, seed ${SEED}`, () => {
  it('make no 5xx and no status that is not documented, and every error is a problem', async () => {
    const { faults, statuses } = await fuzz({
      url: service.url,
      seed: SEED,
      requests: REQUESTS,
      checkSchema: (body, schema, document) => schemaFaults(body, schema as JsonSchema, document),
    });
    expect(faults).toEqual([]);
    // Neither all past the door nor all turned away at it.
    expect(Object.keys(statuses)).toEqual(
      expect.arrayContaining(['200', '201', '204', '400', '401', '404', '422']),
    );
    expect(statuses['200']).toBeGreaterThan(REQUESTS / 20);
  });
});
