import { Column, Entity, Index, PrimaryColumn } from 'typeorm';

/**
 * The random id of an erased user's session. Stored for the lifetime of an access token, so that every replica refuses
 * it.
 */
@Entity('erased_sessions')
@Index('erased_sessions_erased_at_idx', ['erasedAt'])
export class ErasedSession {
  @PrimaryColumn('uuid', { primaryKeyConstraintName: 'erased_sessions_pkey' })
  id!: string;

  @Column({ type: 'timestamptz', name: 'erased_at', precision: 3 })
  erasedAt!: Date;
}
