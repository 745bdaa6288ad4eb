import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { createDatabase, type TestDatabase } from '../harness/database/database.js';
import { describeWithPgBouncer, startPgBouncer, type PgBouncer } from '../harness/servers/pgbouncer.js';
import { Program } from '../harness/programs/program.js';

describeWithPgBouncer('a database behind a pooler', () => {
  let database: TestDatabase;
  let pooler: PgBouncer | undefined;
  let program: Program;

  beforeEach(async () => {
    database = await createDatabase();
  });
  afterEach(async () => {
    await program.stop('SIGKILL');
    await pooler?.stop();
    await database.drop();
  });

  it('in transaction mode without MIGRATIONS_DATABASE_URL: asks for it and changes nothing', async () => {
    pooler = await startPgBouncer(database, 'transaction');
    program = Program.start({ DATABASE_URL: pooler.url });
    expect(await program.exited).toEqual({ code: 1, signal: null });
    expect(program.lines.at(-1)).toMatchObject({
      level: 'fatal',
      msg: expect.stringMatching(/pooler in transaction mode.*set MIGRATIONS_DATABASE_URL/),
    });
    expect(await database.query(`SELECT to_regclass('users') AS users`)).toEqual([{ users: null }]);
  });

  it('in transaction mode with MIGRATIONS_DATABASE_URL: migrates over the direct connection', async () => {
    pooler = await startPgBouncer(database, 'transaction');
    program = Program.start({ DATABASE_URL: pooler.url, MIGRATIONS_DATABASE_URL: database.url });
    await program.said(/listening on/);
    expect(program.stdout).toContain('migrations applied');
  });

  it('in session mode: takes the lock and migrates', async () => {
    pooler = await startPgBouncer(database, 'session');
    program = Program.start({ DATABASE_URL: pooler.url, DB_POOL_SIZE: '2' });
    await program.said(/listening on/);
    expect(program.stdout).toContain('migrations applied');
  });
});
