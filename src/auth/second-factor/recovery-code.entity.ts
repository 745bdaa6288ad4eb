import { Entity, JoinColumn, ManyToOne, PrimaryColumn, type Relation } from 'typeorm';
import { SecondFactor } from './second-factor.entity.js';

/** An unused recovery code. */
@Entity('recovery_codes')
export class RecoveryCode {
  @PrimaryColumn('uuid')
  userId!: string;

  /** Removing the factor removes them too. */
  @ManyToOne(() => SecondFactor, { onDelete: 'CASCADE', nullable: false })
  @JoinColumn({ name: 'user_id' })
  secondFactor!: Relation<SecondFactor>;

  /** SHA-256. */
  @PrimaryColumn('bytea')
  codeHash!: Buffer;
}
