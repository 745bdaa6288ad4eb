import { Client } from 'pg';
import type { DatabaseOptions, MigratorOptions } from '../migrator-options.js';

/**
 * The options of a project whose database is given as a URL. Defaults: a statement timeout of 30 s, a lock timeout of a
 * minute, a check for poolers, release `unknown`.
 *
 * @param url as libpq reads it; missing parts come from PGHOST, PGUSER, PGPASSWORD and so on
 */
export function optionsFromUrl(
  url: string | undefined,
  project: Pick<MigratorOptions, 'migrations' | 'entities'> & Partial<MigratorOptions>,
): MigratorOptions {
  const client = new Client(url === undefined ? {} : { connectionString: url });
  const { host, port, user = '', password, database = user } = client;
  return {
    database: {
      ...{ host, port, user, name: database, ssl: sslMode(client.ssl), statementTimeoutMs: 30_000 },
      // null if there is none.
      password: password ?? '',
    },
    lockTimeoutMs: 60_000,
    direct: false,
    release: 'unknown',
    ...project,
  };
}

function sslMode(ssl: boolean | { readonly rejectUnauthorized?: boolean }): DatabaseOptions['ssl'] {
  if (ssl === false) return 'off';
  return ssl !== true && ssl.rejectUnauthorized === false ? 'require' : 'verify-full';
}
