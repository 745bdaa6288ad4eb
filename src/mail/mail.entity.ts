import { Column, Entity, Index, PrimaryColumn } from 'typeorm';

/** A mail that a process has claimed to deliver it. */
export type ClaimedMail = Pick<
  Mail,
  'id' | 'template' | 'recipient' | 'userId' | 'data' | 'attempts' | 'createdAt'
>;

/** A mail that waits for its delivery. Holds no secret: the token of a link is computed when the mail is sent. */
@Entity('mails')
@Index(['nextAttemptAt'])
export class Mail {
  /** UUIDv7. */
  @PrimaryColumn('uuid')
  id!: string;

  /** A name of TEMPLATES. */
  @Column('varchar', { length: 40 })
  template!: string;

  @Column('varchar', { length: 254 })
  recipient!: string;

  /** The account it is about, if there is one. Without a foreign key: this module knows no users. */
  @Column('uuid', { nullable: true })
  userId!: string | null;

  /** What the text says. */
  @Column('jsonb', { default: {} })
  data!: Readonly<Record<string, string>>;

  @Column('int', { default: 0 })
  attempts!: number;

  @Column({ type: 'timestamptz', precision: 3, default: () => 'now()' })
  createdAt!: Date;

  @Column({ type: 'timestamptz', precision: 3, default: () => 'now()' })
  nextAttemptAt!: Date;
}
