import { Column, Entity, Index, PrimaryColumn } from 'typeorm';

/**
 * The random id of an erased user's session. Stored for the lifetime of an access token, so that every replica refuses
 * it.
 */
@Entity('erased_sessions')
@Index(['erasedAt'])
export class ErasedSession {
  @PrimaryColumn('uuid')
  id!: string;

  @Column({ type: 'timestamptz', precision: 3 })
  erasedAt!: Date;
}
