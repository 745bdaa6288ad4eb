import { Column, Entity, JoinColumn, OneToOne, PrimaryColumn, type Relation } from 'typeorm';
import { User } from '../users/user.entity.js';

/** One row for each user who has written something: which state the user's entries are in. */
@Entity('journals')
export class Journal {
  @PrimaryColumn('uuid', { name: 'user_id', primaryKeyConstraintName: 'journals_pkey' })
  userId!: string;

  @OneToOne(() => User, { onDelete: 'CASCADE', nullable: false })
  @JoinColumn({ name: 'user_id', foreignKeyConstraintName: 'journals_user_id_fkey' })
  user!: Relation<User>;

  /** Grows with every change of an entry. The time of the change, µs since the epoch, so that it never comes twice. */
  @Column('bigint')
  revision!: string;
}
