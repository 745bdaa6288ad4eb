import { Injectable, Logger, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { Client } from 'pg';
import { Config } from '../config/config.js';
import { patientClientConfig } from '../database/data-source-options.js';
import { Sql } from '../database/sql.js';

/** `search` in ASCII. */
const LOCK_KEY = '126879397962600';

/** The language whose words the index holds: its comment. */
const INDEXED = `SELECT obj_description('entries_search_idx'::regclass, 'pg_class') AS language`;

/**
 * Brings the search index to SEARCH_LANGUAGE, where that has changed since the last start: first what
 * `entries_search` makes of words, then, while everybody reads and writes, the index. Until that is done, a search may
 * miss what was written before in another form than it is asked for.
 */
@Injectable()
export class SearchLanguage implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly logger = new Logger('Search');
  private client: Client | undefined;
  private stopping = false;
  private running: Promise<void> | undefined;

  constructor(
    private readonly config: Config,
    private readonly sql: Sql,
  ) {}

  onApplicationBootstrap(): void {
    this.running = this.run().catch((error: unknown) => {
      if (this.stopping) return;
      this.logger.warn('the language could not be set, next try at the next start', error);
    });
  }

  /** A build that is broken off is begun anew at the next start. */
  async onApplicationShutdown(): Promise<void> {
    this.stopping = true;
    await this.client?.end().catch(() => {});
    await this.running;
  }

  private async run(): Promise<void> {
    const { language } = this.config.search;
    // Nearly every start ends here, and has no other connection to make for it.
    const { rows: found } = await this.sql.query<{ language: string | null }>(undefined, INDEXED, []);
    if (found[0]?.language === language || this.stopping) return;
    // Directly, and with as much time as it takes.
    const client = new Client(
      patientClientConfig(this.config.migrations.database, 'entries search language'),
    );
    client.on('error', () => {});
    this.client = client;
    try {
      await client.connect();
      const indexed = async () =>
        (await client.query<{ language: string | null }>(INDEXED)).rows[0]?.language;
      const { rows } = await client.query<{ locked: boolean }>('SELECT pg_try_advisory_lock($1) AS locked', [
        LOCK_KEY,
      ]);
      // Another replica is at it.
      if (!rows[0]?.locked || (await indexed()) === language) return;
      this.logger.log(`the search index is built anew, for ${language}`);
      await adopt(client, language);
      await client.query('REINDEX INDEX CONCURRENTLY entries_search_idx');
      await client.query(`COMMENT ON INDEX entries_search_idx IS ${client.escapeLiteral(language)}`);
      this.logger.log(`the search index is built, for ${language}`);
    } finally {
      await client.end().catch(() => {});
    }
  }
}

/** Gives `entries_search` the dictionaries of the language, kind of word by kind of word. */
async function adopt(client: Client, language: string): Promise<void> {
  const { rows } = await client.query<{ token: string; dictionaries: string }>(
    `SELECT t.alias AS token, string_agg(m.mapdict::regdictionary::text, ', ' ORDER BY mapseqno) AS dictionaries
       FROM pg_ts_config c JOIN pg_ts_config_map m ON m.mapcfg = c.oid
            JOIN ts_token_type(c.cfgparser) t ON t.tokid = m.maptokentype
      WHERE c.oid = $1::regconfig GROUP BY t.alias`,
    [`pg_catalog.${language}`],
  );
  await client.query('BEGIN');
  for (const { token, dictionaries } of rows) {
    await client.query(
      `ALTER TEXT SEARCH CONFIGURATION entries_search ALTER MAPPING FOR ${token} WITH ${dictionaries}`,
    );
  }
  await client.query('COMMIT');
}
