import { MigrationInterface, QueryRunner } from 'typeorm';

const HOURS = Array.from({ length: 24 }, (_, hour) => hour + 1);
const MOODS = Array.from({ length: 10 }, (_, index) => index + 1);

/** @param changes rows of `entries`, and by how many (`n`) each changes the numbers */
function daysOf(changes: string): string {
  const sums = (what: string, filters: string[]) =>
    `ARRAY[${filters.map((filter) => `coalesce(sum(${what}) FILTER (WHERE ${filter}), 0)`).join(', ')}]::int[]`;
  const until = HOURS.map((hour) => `hour < ${hour}`);
  return `
        INSERT INTO entry_days AS d (user_id, day, counts, mood_sums, moods)
        SELECT user_id, day, ${sums('n', until)}, ${sums('n * mood', until)}, ${sums(
          'n',
          MOODS.map((mood) => `mood = ${mood}`),
        )}
          FROM (SELECT user_id, mood, n, (occurred_at AT TIME ZONE 'UTC')::date AS day,
                       date_part('hour', occurred_at AT TIME ZONE 'UTC') AS hour
                  FROM (${changes}) AS change) AS change
         GROUP BY user_id, day
         ORDER BY user_id, day
            ON CONFLICT (user_id, day) DO UPDATE
           SET counts = entries_add_counts(d.counts, excluded.counts),
               mood_sums = entries_add_counts(d.mood_sums, excluded.mood_sums),
               moods = entries_add_counts(d.moods, excluded.moods);`;
}

function labelsOf(changes: string): string {
  return `
        INSERT INTO entry_labels AS l (user_id, month, kind, label, count)
        SELECT user_id, date_trunc('month', occurred_at AT TIME ZONE 'UTC')::date, kind, label, sum(n)
          FROM (${changes}) AS change,
               LATERAL (SELECT 'category' AS kind, category AS label UNION ALL SELECT 'tag', unnest(tags)) AS named
         GROUP BY 1, 2, 3, 4 HAVING sum(n) <> 0
         ORDER BY 1, 2, 3, 4
            ON CONFLICT (user_id, month, kind, label) DO UPDATE SET count = l.count + excluded.count;`;
}

/** What is not there any more leaves no trace: the name of a tag is part of a diary. */
const FORGET = `
        DELETE FROM entry_days AS d
         USING (SELECT DISTINCT user_id, (occurred_at AT TIME ZONE 'UTC')::date AS day FROM old_rows) AS o
         WHERE d.user_id = o.user_id AND d.day = o.day AND d.counts[24] = 0;
        DELETE FROM entry_labels AS l
         USING (SELECT DISTINCT user_id, date_trunc('month', occurred_at AT TIME ZONE 'UTC')::date AS month
                  FROM old_rows) AS o
         WHERE l.user_id = o.user_id AND l.month = o.month AND l.count = 0;`;

const COLUMNS = 'user_id, occurred_at, mood, category, tags';

const CHANGED = `
             new_rows n JOIN old_rows o USING (id)
       WHERE (n.user_id, n.occurred_at, n.mood, n.category, n.tags, n.deleted_at)
             IS DISTINCT FROM (o.user_id, o.occurred_at, o.mood, o.category, o.tags, o.deleted_at)`;

const CHANGES = {
  INSERT: `SELECT ${COLUMNS}, 1 AS n FROM new_rows WHERE deleted_at IS NULL`,
  DELETE: `SELECT ${COLUMNS}, -1 AS n FROM old_rows WHERE deleted_at IS NULL`,
  UPDATE: `
      SELECT n.user_id, n.occurred_at, n.mood, n.category, n.tags, 1 AS n FROM ${CHANGED} AND n.deleted_at IS NULL
      UNION ALL
      SELECT o.user_id, o.occurred_at, o.mood, o.category, o.tags, -1 FROM ${CHANGED} AND o.deleted_at IS NULL`,
} as const;

/**
 * Rows are locked in one order everywhere, so that two writers never wait for each other in a circle: entries, users,
 * days, labels. The lock on users is the one that a foreign key takes: it hinders nobody but who erases the user or
 * counts anew. Where the user is gone, the entries go with him, and so do their numbers.
 */
const branch = (operation: keyof typeof CHANGES, rows: string) => `
      PERFORM FROM users WHERE id IN (SELECT user_id FROM ${rows}) ORDER BY id FOR KEY SHARE;
      IF FOUND THEN${daysOf(CHANGES[operation])}${labelsOf(CHANGES[operation])}${operation === 'INSERT' ? '' : FORGET}
      END IF;`;

const FUNCTIONS = [
  // What SEARCH_LANGUAGE says is written into it at a start: docs/search.md.
  `CREATE TEXT SEARCH CONFIGURATION entries_search (COPY = pg_catalog.english)`,

  // A user's entries of one month of UTC, as a key of the search index.
  `CREATE FUNCTION entries_scope(uuid, timestamp with time zone) RETURNS text[] LANGUAGE sql IMMUTABLE PARALLEL SAFE
   AS $$
     SELECT ARRAY[$1::text || '/' || (date_part('year', $2 AT TIME ZONE 'UTC')::integer * 12 +
                                      date_part('month', $2 AT TIME ZONE 'UTC')::integer)::text]
   $$`,

  `CREATE FUNCTION entries_add_counts(integer[], integer[]) RETURNS integer[] LANGUAGE sql IMMUTABLE PARALLEL SAFE
   AS $$ SELECT array_agg(a + b ORDER BY i) FROM unnest($1, $2) WITH ORDINALITY AS each (a, b, i) $$`,

  `CREATE FUNCTION entries_keep_rollups() RETURNS trigger LANGUAGE plpgsql AS $$
   BEGIN
     IF TG_OP = 'INSERT' THEN${branch('INSERT', 'new_rows')}
     ELSIF TG_OP = 'DELETE' THEN${branch('DELETE', 'old_rows')}
     ELSE${branch('UPDATE', 'new_rows')}
     END IF;
     RETURN NULL;
   END $$`,

  // Counts a user's entries anew. Writers of that user wait meanwhile, so that none is counted twice or not at all.
  `CREATE FUNCTION entries_rebuild_rollups(uuid) RETURNS void LANGUAGE plpgsql AS $$
   BEGIN
     PERFORM FROM users WHERE id = $1 FOR UPDATE;
     DELETE FROM entry_days WHERE user_id = $1;
     DELETE FROM entry_labels WHERE user_id = $1;${daysOf(
       `SELECT ${COLUMNS}, 1 AS n FROM entries WHERE user_id = $1 AND deleted_at IS NULL`,
     )}${labelsOf(`SELECT ${COLUMNS}, 1 AS n FROM entries WHERE user_id = $1 AND deleted_at IS NULL`)}
   END $$`,
];

const TRIGGERS = [
  ['insert', 'NEW TABLE AS new_rows'],
  ['update', 'OLD TABLE AS old_rows NEW TABLE AS new_rows'],
  ['delete', 'OLD TABLE AS old_rows'],
].map(
  ([operation, tables]) => `
    CREATE TRIGGER entries_${operation}_rollups AFTER ${operation} ON "entries" REFERENCING ${tables}
    FOR EACH STATEMENT EXECUTE FUNCTION entries_keep_rollups()`,
);

export class KeepEntryRollupsAndIdempotencyKeys1795568134211 implements MigrationInterface {
  name = 'KeepEntryRollupsAndIdempotencyKeys1795568134211';
  compatible = true;

  public async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
            CREATE TABLE "entry_days" (
                "user_id" uuid NOT NULL,
                "day" date NOT NULL,
                "counts" integer array NOT NULL,
                "mood_sums" integer array NOT NULL,
                "moods" integer array NOT NULL,
                CONSTRAINT "entry_days_pkey" PRIMARY KEY ("user_id", "day")
            )
        `);
    await queryRunner.query(`
            CREATE TABLE "entry_labels" (
                "user_id" uuid NOT NULL,
                "month" date NOT NULL,
                "kind" character varying(8) NOT NULL,
                "label" character varying(50) NOT NULL,
                "count" integer NOT NULL,
                CONSTRAINT "entry_labels_pkey" PRIMARY KEY ("user_id", "month", "kind", "label")
            )
        `);
    await queryRunner.query(`
            CREATE TABLE "idempotency_keys" (
                "user_id" uuid NOT NULL,
                "key" character varying(255) NOT NULL,
                "request_hash" bytea NOT NULL,
                "status" smallint NOT NULL,
                "headers" jsonb NOT NULL,
                "body" text NOT NULL,
                "created_at" TIMESTAMP(3) WITH TIME ZONE NOT NULL DEFAULT now(),
                CONSTRAINT "idempotency_keys_pkey" PRIMARY KEY ("user_id", "key")
            )
        `);
    await queryRunner.query(`
            CREATE INDEX "idempotency_keys_created_at_idx" ON "idempotency_keys" ("created_at")
        `);
    await queryRunner.query(`
            ALTER TABLE "entry_days"
            ADD CONSTRAINT "entry_days_user_id_fkey" FOREIGN KEY ("user_id") REFERENCES "users"("id") ON DELETE CASCADE ON UPDATE NO ACTION
        `);
    await queryRunner.query(`
            ALTER TABLE "entry_labels"
            ADD CONSTRAINT "entry_labels_user_id_fkey" FOREIGN KEY ("user_id") REFERENCES "users"("id") ON DELETE CASCADE ON UPDATE NO ACTION
        `);
    await queryRunner.query(`
            ALTER TABLE "idempotency_keys"
            ADD CONSTRAINT "idempotency_keys_user_id_fkey" FOREIGN KEY ("user_id") REFERENCES "users"("id") ON DELETE CASCADE ON UPDATE NO ACTION
        `);
    // Written by hand from here on: TypeORM knows no functions, triggers and search configurations.
    for (const sql of FUNCTIONS) await queryRunner.query(sql);
    for (const sql of TRIGGERS) await queryRunner.query(sql);
  }

  public async down(queryRunner: QueryRunner): Promise<void> {
    for (const operation of ['insert', 'update', 'delete']) {
      await queryRunner.query(`DROP TRIGGER entries_${operation}_rollups ON "entries"`);
    }
    await queryRunner.query(`DROP FUNCTION entries_keep_rollups()`);
    await queryRunner.query(`DROP FUNCTION entries_rebuild_rollups(uuid)`);
    await queryRunner.query(`DROP FUNCTION entries_add_counts(integer[], integer[])`);
    await queryRunner.query(`DROP FUNCTION entries_scope(uuid, timestamp with time zone)`);
    await queryRunner.query(`DROP TEXT SEARCH CONFIGURATION entries_search`);
    await queryRunner.query(`
            ALTER TABLE "idempotency_keys" DROP CONSTRAINT "idempotency_keys_user_id_fkey"
        `);
    await queryRunner.query(`
            ALTER TABLE "entry_labels" DROP CONSTRAINT "entry_labels_user_id_fkey"
        `);
    await queryRunner.query(`
            ALTER TABLE "entry_days" DROP CONSTRAINT "entry_days_user_id_fkey"
        `);
    await queryRunner.query(`
            DROP INDEX "public"."idempotency_keys_created_at_idx"
        `);
    await queryRunner.query(`
            DROP TABLE "idempotency_keys"
        `);
    await queryRunner.query(`
            DROP TABLE "entry_labels"
        `);
    await queryRunner.query(`
            DROP TABLE "entry_days"
        `);
  }
}
