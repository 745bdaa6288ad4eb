import { Column, Entity, Index, PrimaryColumn } from 'typeorm';

/**
 * A session whose row went with its user: kept for as long as an access token of it may live, so that every replica
 * refuses it, and then purged. A random id and a time, and nothing of whose it was.
 */
@Entity('erased_sessions')
@Index('erased_sessions_erased_at_idx', ['erasedAt'])
export class ErasedSession {
  @PrimaryColumn('uuid', { primaryKeyConstraintName: 'erased_sessions_pkey' })
  id!: string;

  @Column({ type: 'timestamptz', name: 'erased_at', precision: 3 })
  erasedAt!: Date;
}
