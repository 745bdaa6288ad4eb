import { Column, Entity, JoinColumn, ManyToOne, PrimaryColumn, type Relation } from 'typeorm';
import { User } from '../users/user.entity.js';

/**
 * How many entries a user has on a day of UTC, and their moods: what statistics of many years are read from. Triggers
 * on `entries` keep it, in the transaction of the write. Entries in the trash do not count.
 */
@Entity('entry_days')
export class EntryDay {
  @PrimaryColumn('uuid', { name: 'user_id', primaryKeyConstraintName: 'entry_days_pkey' })
  userId!: string;

  @ManyToOne(() => User, { onDelete: 'CASCADE', nullable: false })
  @JoinColumn({ name: 'user_id', foreignKeyConstraintName: 'entry_days_user_id_fkey' })
  user!: Relation<User>;

  @PrimaryColumn('date', { primaryKeyConstraintName: 'entry_days_pkey' })
  day!: string;

  /** The nth: entries of the first n hours. The 24th is the day's, and a time zone's midnight is one of the others. */
  @Column('integer', { array: true })
  counts!: number[];

  /** The nth: the sum of the moods of the first n hours. */
  @Column('integer', { name: 'mood_sums', array: true })
  moodSums!: number[];

  /** The nth: entries of mood n. */
  @Column('integer', { array: true })
  moods!: number[];
}
