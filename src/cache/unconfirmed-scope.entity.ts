import { Column, Entity, PrimaryColumn } from 'typeorm';

/** A scope of the cache whose invalidation Redis did not take: read past the cache until Redis has taken one. */
@Entity('unconfirmed_scopes')
export class UnconfirmedScope {
  @PrimaryColumn('varchar', { length: 100, primaryKeyConstraintName: 'unconfirmed_scopes_pkey' })
  scope!: string;

  /** New with each invalidation that was not taken, so that an older one which was does not hide it. */
  @Column('uuid')
  mark!: string;
}
