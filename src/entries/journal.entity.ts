import { Column, Entity, JoinColumn, OneToOne, PrimaryColumn, type Relation } from 'typeorm';
import { User } from '../users/user.entity.js';

/** The revision of a user's entries. Created with the first entry. */
@Entity('journals')
export class Journal {
  @PrimaryColumn('uuid')
  userId!: string;

  @OneToOne(() => User, { onDelete: 'CASCADE', nullable: false })
  @JoinColumn()
  user!: Relation<User>;

  /** Time of the last change, µs since the epoch. Always grows. */
  @Column('bigint')
  revision!: string;
}
