import { MigrationInterface, QueryRunner } from 'typeorm';

/** Rows written by one statement. */
const BATCH = 1000;

/** As `foldText` in src/entries/search-text.ts was when this landed. */
function fold(text: string): string {
  return text
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .toLowerCase()
    .toUpperCase()
    .toLowerCase()
    .replaceAll('ς', 'σ')
    .replace(/\s+/g, ' ');
}

/** Fills `search_text` where it is missing. A row whose text changes meanwhile is left to the next call. */
export async function fillSearchText(queryRunner: QueryRunner): Promise<void> {
  let after = '00000000-0000-0000-0000-000000000000';
  for (;;) {
    const rows = (await queryRunner.query(
      `SELECT id, text FROM "entries" WHERE id > $1 AND search_text IS NULL ORDER BY id LIMIT ${BATCH}`,
      [after],
    )) as { id: string; text: string }[];
    const last = rows.at(-1);
    if (last === undefined) return;
    after = last.id;
    await queryRunner.query(
      `UPDATE "entries" AS e SET search_text = folded.search_text
         FROM unnest($1::uuid[], $2::text[], $3::text[]) AS folded (id, text, search_text)
        WHERE e.id = folded.id AND e.text = folded.text AND e.search_text IS NULL`,
      [rows.map(({ id }) => id), rows.map(({ text }) => text), rows.map(({ text }) => fold(text))],
    );
  }
}

export class FillSearchText1795765180000 implements MigrationInterface {
  name = 'FillSearchText1795765180000';
  transaction = false;
  compatible = true;

  public async up(queryRunner: QueryRunner): Promise<void> {
    await fillSearchText(queryRunner);
    // TypeORM cannot describe operator classes. A short pending list, since every search reads all of it.
    await queryRunner.query(`
            CREATE INDEX CONCURRENTLY "entries_search_text_idx" ON "entries"
            USING gin ("user_id", "tags", "search_text" gin_trgm_ops)
            WITH (gin_pending_list_limit = 128)
        `);
  }

  public async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
            DROP INDEX CONCURRENTLY "public"."entries_search_text_idx"
        `);
  }
}
