import { Column, Entity, Index, ManyToOne, PrimaryColumn, type Relation } from 'typeorm';
import { User } from '../../users/user.entity.js';

/** `operator-reset` is a reset whose link no mail has: the operator passes it on. Mails that others ask for do not replace it. */
export type TokenPurpose = 'reset-password' | 'operator-reset' | 'verify-email' | 'change-email';

/** What a change of the password makes void. */
export const PASSWORD_LINKS: readonly TokenPurpose[] = ['reset-password', 'operator-reset', 'change-email'];

/**
 * The single-use token of a link in a mail. One row for each user and purpose, so a new link replaces the previous one. A used
 * row stays for a while: a repeated delivery of its mail must not make it valid again.
 */
@Entity('account_tokens')
@Index(['tokenHash'], { unique: true })
@Index(['requestedAt'])
export class AccountToken {
  @PrimaryColumn('uuid')
  userId!: string;

  @ManyToOne(() => User, { onDelete: 'CASCADE', nullable: false })
  user!: Relation<User>;

  @PrimaryColumn('varchar', { length: 20 })
  purpose!: TokenPurpose;

  /** Where the link is sent, or the address of the account. */
  @Column('varchar', { length: 254 })
  email!: string;

  /** The mail with the link, or a random id. This id and a key make the token. */
  @Column('uuid')
  mailId!: string;

  /** SHA-256 of the token; null until the mail is sent for the first time. */
  @Column('bytea', { nullable: true })
  tokenHash!: Buffer | null;

  @Column({ type: 'timestamptz', precision: 3, default: () => 'now()' })
  requestedAt!: Date;

  /** Counted from the last attempt to send the mail: before, nobody knows the token. */
  @Column({ type: 'timestamptz', precision: 3, nullable: true })
  expiresAt!: Date | null;

  @Column({ type: 'timestamptz', precision: 3, nullable: true })
  usedAt!: Date | null;
}
