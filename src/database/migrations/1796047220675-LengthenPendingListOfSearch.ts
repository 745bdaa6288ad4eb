import type { MigrationInterface, QueryRunner } from 'typeorm';

export class LengthenPendingListOfSearch1796047220675 implements MigrationInterface {
  name = 'LengthenPendingListOfSearch1796047220675';
  compatible = true;

  public async up(queryRunner: QueryRunner): Promise<void> {
    // kB. TypeORM cannot describe it; docs/decisions/search.md has the measurements.
    await queryRunner.query(`ALTER INDEX entries_search_text_idx SET (gin_pending_list_limit = 1024)`);
  }

  public async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`ALTER INDEX entries_search_text_idx SET (gin_pending_list_limit = 128)`);
  }
}
