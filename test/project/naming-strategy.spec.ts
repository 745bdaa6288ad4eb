import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { EntitySchema } from 'typeorm';
import { NamingStrategy } from '../../src/database/naming-strategy.js';
import { MigrationProject } from '../harness/database/migration-project.js';

const Author = new EntitySchema<object>({
  name: 'Author',
  columns: {
    id: { type: 'int', primary: true, generated: true },
    homeAddress: { type: 'text', unique: true },
  },
});
const Label = new EntitySchema<object>({
  name: 'Label',
  trees: [{ type: 'closure-table' }],
  columns: { id: { type: 'int', primary: true, generated: true } },
  relations: {
    children: { type: 'one-to-many', target: 'Label', treeChildren: true, inverseSide: 'parent' },
    parent: { type: 'many-to-one', target: 'Label', treeParent: true, inverseSide: 'children' },
  },
});
const BookReview = new EntitySchema<object>({
  name: 'BookReview',
  columns: {
    id: { type: 'int', primary: true, generated: true },
    stars: { type: 'smallint' },
    sequelId: { type: 'int', unique: true, nullable: true },
    numberOfReadersWhoFoundThisReviewHelpful: { type: 'int' },
    numberOfReadersWhoFoundThisReviewHarmful: { type: 'int' },
  },
  checks: [{ expression: 'stars BETWEEN 1 AND 5' }],
  indices: [
    { columns: ['stars'] },
    { columns: ['stars'], where: 'stars > 3' },
    { columns: ['stars'], where: 'stars < 3' },
    { columns: ['numberOfReadersWhoFoundThisReviewHelpful', 'numberOfReadersWhoFoundThisReviewHarmful'] },
  ],
  relations: {
    author: { type: 'many-to-one', target: 'Author' },
    sequel: { type: 'one-to-one', target: 'BookReview', joinColumn: true },
    labels: { type: 'many-to-many', target: 'Label', joinTable: true },
    similarReviews: { type: 'many-to-many', target: 'BookReview', joinTable: true },
  },
});
const ENTITIES = [Author, Label, BookReview];

let project: MigrationProject;
beforeEach(async () => {
  project = await MigrationProject.create(new NamingStrategy());
});
afterEach(() => project.remove());

it('gives everything that TypeORM creates a readable name, which it recognizes afterwards', async () => {
  await project.migrate(ENTITIES);
  const rows = await project.database.query<{ name: string }>(`
    SELECT conname AS name FROM pg_constraint WHERE conrelid = 'book_review'::regclass AND contype <> 'n'
    UNION SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relname ~ 'book_review|label'
      AND relkind IN ('r', 'i')
    ORDER BY 1`);
  expect(rows.map(({ name }) => name)).toEqual([
    'book_review',
    'book_review_author_id_fkey',
    'book_review_labels_label',
    'book_review_labels_label_book_review_id_idx',
    'book_review_labels_label_label_id_idx',
    'book_review_labels_label_pkey',
    'book_review_number_of_readers_who_found_this_revie_930a6c1a_idx',
    'book_review_pkey',
    'book_review_sequel_id_fkey',
    'book_review_sequel_id_key',
    'book_review_similar_reviews_book_review',
    'book_review_similar_reviews_book_review_book_review_id_1_idx',
    'book_review_similar_reviews_book_review_book_review_id_2_idx',
    'book_review_similar_reviews_book_review_pkey',
    'book_review_stars_between_1_and_5_check',
    'book_review_stars_idx',
    'book_review_stars_where_stars_3_15b72b37_idx',
    'book_review_stars_where_stars_3_e2a2d236_idx',
    'label',
    'label_closure',
    'label_closure_id_ancestor_idx',
    'label_closure_id_descendant_idx',
    'label_closure_pkey',
    'label_pkey',
  ]);
  expect(await project.generate(ENTITIES)).toMatchObject({ questions: [], migrations: [], phantoms: [] });
});
