import { Column, Entity, JoinColumn, ManyToOne, PrimaryColumn, type Relation } from 'typeorm';
import { User } from '../users/user.entity.js';

const PRIMARY_KEY = 'entry_labels_pkey';

/**
 * How many entries a user has under a category or a tag in a month of UTC. Kept as {@link EntryDay} is. A label that no
 * entry has any more has no row.
 */
@Entity('entry_labels')
export class EntryLabel {
  @PrimaryColumn('uuid', { name: 'user_id', primaryKeyConstraintName: PRIMARY_KEY })
  userId!: string;

  @ManyToOne(() => User, { onDelete: 'CASCADE', nullable: false })
  @JoinColumn({ name: 'user_id', foreignKeyConstraintName: 'entry_labels_user_id_fkey' })
  user!: Relation<User>;

  /** Its first day. */
  @PrimaryColumn('date', { primaryKeyConstraintName: PRIMARY_KEY })
  month!: string;

  @PrimaryColumn('varchar', { length: 8, primaryKeyConstraintName: PRIMARY_KEY })
  kind!: 'category' | 'tag';

  @PrimaryColumn('varchar', { length: 50, primaryKeyConstraintName: PRIMARY_KEY })
  label!: string;

  @Column('integer')
  count!: number;
}
