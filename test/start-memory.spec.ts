import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { createDatabase, type TestDatabase } from './harness/database.js';
import { Program } from './harness/program.js';
import { until } from './harness/until.js';

let database: TestDatabase;
let program: Program;
let url: string;
beforeAll(async () => {
  database = await createDatabase();
  const environment = { DATABASE_URL: database.url, RATE_LIMIT_ENABLED: 'false', LOG_LEVEL: 'info' };
  program = Program.start(environment, undefined, ['--trace-opt']);
  url = await program.listening();
});
afterAll(async () => {
  await program.stop('SIGKILL');
  await database.drop();
});

async function ask(path: string, times: number): Promise<void> {
  for (let asked = 0; asked < times; asked += 50) {
    await Promise.all(Array.from({ length: 50 }, async () => (await fetch(url + path)).arrayBuffer()));
  }
}

/** How many functions V8 has begun to optimize. */
const compiled = () => program.stdout.match(/^\[compiling method/gm)?.length ?? 0;

it('interprets while only probes come, and compiles what is hot from the first other request on', async () => {
  const before = compiled();
  await ask('/health/live', 1500);
  expect(compiled()).toBe(before);
  await ask('/nothing', 1500);
  await until('something is compiled', () => compiled() > before + 10);
}, 60_000);
