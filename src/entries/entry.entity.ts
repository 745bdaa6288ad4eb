import { Check, Column, Entity, Index, JoinColumn, ManyToOne, PrimaryColumn, type Relation } from 'typeorm';
import { User } from '../users/user.entity.js';

/** The table. `entry-row.ts` maps a row to what a client sees of it, and `entry.queries.ts` reads and writes it. */
@Entity('entries')
@Check('entries_mood_check', 'mood BETWEEN 1 AND 10')
@Index('entries_user_id_occurred_at_idx', ['userId', 'occurredAt', 'id'])
@Index('entries_user_id_created_at_idx', ['userId', 'createdAt', 'id'])
@Index('entries_trash_idx', ['userId', 'occurredAt', 'id'], {
  where: 'deleted_at IS NOT NULL',
  concurrent: true,
})
// Holds all that a count of entries, or of a category, needs.
@Index('entries_category_idx', ['userId', 'category', 'occurredAt', 'id'], {
  where: 'deleted_at IS NULL',
  concurrent: true,
})
// GIN on user_id, tags and the trigrams of search_text, which TypeORM cannot describe: docs/search.md.
@Index('entries_search_text_idx', { synchronize: false })
export class Entry {
  /** UUIDv7, made by the application. */
  @PrimaryColumn('uuid', { primaryKeyConstraintName: 'entries_pkey' })
  id!: string;

  @Column('uuid', { name: 'user_id' })
  userId!: string;

  @ManyToOne(() => User, { onDelete: 'CASCADE', nullable: false })
  @JoinColumn({ name: 'user_id', foreignKeyConstraintName: 'entries_user_id_fkey' })
  user!: Relation<User>;

  @Column('text')
  text!: string;

  /** What a search looks in: `text` without case and accents, see `search-text.ts`. */
  @Column('text', { name: 'search_text' })
  searchText!: string;

  @Column('smallint')
  mood!: number;

  @Column('varchar', { length: 50, default: 'general' })
  category!: string;

  /** Lower-case, unique and sorted. */
  @Column('text', { array: true, default: () => "'{}'" })
  tags!: string[];

  @Column({ type: 'timestamptz', name: 'occurred_at', precision: 3, default: () => 'now()' })
  occurredAt!: Date;

  @Column({ type: 'timestamptz', name: 'created_at', precision: 3, default: () => 'now()' })
  createdAt!: Date;

  @Column({ type: 'timestamptz', name: 'updated_at', precision: 3, default: () => 'now()' })
  updatedAt!: Date;

  /** In the trash since then. */
  @Column({ type: 'timestamptz', name: 'deleted_at', precision: 3, nullable: true })
  deletedAt!: Date | null;

  /** 1 for a new row, one more with each change: the entity tag. */
  @Column('integer', { default: 1 })
  version!: number;
}
