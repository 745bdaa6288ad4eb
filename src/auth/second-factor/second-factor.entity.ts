import { Column, Entity, JoinColumn, OneToOne, PrimaryColumn, type Relation } from 'typeorm';
import { User } from '../../users/user.entity.js';

/** The authenticator app of a user. */
@Entity('second_factors')
export class SecondFactor {
  @PrimaryColumn('uuid')
  userId!: string;

  @OneToOne(() => User, { onDelete: 'CASCADE', nullable: false })
  @JoinColumn()
  user!: Relation<User>;

  /** Encrypted by `SecretEncryption`. */
  @Column('bytea')
  secret!: Buffer;

  @Column({ type: 'timestamptz', precision: 3, default: () => 'now()' })
  createdAt!: Date;

  /** Null until the user has confirmed the first code. */
  @Column({ type: 'timestamptz', precision: 3, nullable: true })
  enabledAt!: Date | null;

  /** The time step of the last accepted code, which must not be accepted again. */
  @Column('integer', { nullable: true })
  lastUsedStep!: number | null;
}
