import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { NamingStrategy } from './naming-strategy.js';

const strategy = new NamingStrategy();
const LONG = 'measurement_of_the_barometric_pressure';

describe('NamingStrategy', () => {
  it.each([
    ['a table', strategy.tableName('EntryComment', undefined), 'entry_comment'],
    ['a table with a name', strategy.tableName('Entry', 'entries'), 'entries'],
    ['a column', strategy.columnName('createdAt', undefined, []), 'created_at'],
    ['a column of one word', strategy.columnName('mood', undefined, []), 'mood'],
    ['an abbreviation', strategy.columnName('userID', undefined, []), 'user_id'],
    ['an abbreviation at the start', strategy.columnName('HTMLText', undefined, []), 'html_text'],
    ['a digit', strategy.columnName('sha256Hash', undefined, []), 'sha256_hash'],
    ['a letter outside of ASCII', strategy.columnName('jourÉtéNoté', undefined, []), 'jour_été_noté'],
    ['a column with a name', strategy.columnName('createdAt', 'createdAt', []), 'createdAt'],
    [
      'a column of an embedded class',
      strategy.columnName('zipCode', undefined, ['homeAddress']),
      'home_address_zip_code',
    ],
    ['the same with a name', strategy.columnName('zipCode', 'zip', ['homeAddress']), 'home_address_zip'],
    ['a join column', strategy.joinColumnName('lastEditor', 'id'), 'last_editor_id'],
    ['a join table', strategy.joinTableName('entries', 'labels', 'ownLabels'), 'entries_own_labels_labels'],
    ['a column of a join table', strategy.joinTableColumnName('entries', 'id', 'id'), 'entries_id'],
    ['its other column', strategy.joinTableInverseColumnName('labels', 'labelId'), 'labels_label_id'],
    ['a closure table', strategy.closureJunctionTableName('labels'), 'labels_closure'],
    ['a primary key', strategy.primaryKeyName('entries'), 'entries_pkey'],
    ['a table of a schema', strategy.primaryKeyName('archive.entries'), 'entries_pkey'],
    ['a unique constraint', strategy.uniqueConstraintName('users', ['email']), 'users_email_key'],
    [
      'a one-to-one relation',
      strategy.relationConstraintName('users', ['profile_id']),
      'users_profile_id_key',
    ],
    ['a foreign key', strategy.foreignKeyName('entries', ['user_id']), 'entries_user_id_fkey'],
    ['an index', strategy.indexName('entries', ['user_id', 'id']), 'entries_user_id_id_idx'],
    [
      'an index in the other order',
      strategy.indexName('entries', ['id', 'user_id']),
      'entries_id_user_id_idx',
    ],
    [
      'a partial index',
      strategy.indexName('sessions', ['id'], 'ended_at IS NULL'),
      'sessions_id_where_ended_at_is_null_idx',
    ],
    [
      'a check',
      strategy.checkConstraintName('entries', 'mood BETWEEN 1 AND 10'),
      'entries_mood_between_1_and_10_check',
    ],
    [
      'a check with signs',
      strategy.checkConstraintName('entries', 'mood > 0'),
      'entries_mood_0_b9c5bc99_check',
    ],
    [
      'a check with other signs',
      strategy.checkConstraintName('entries', 'mood < 0'),
      'entries_mood_0_7fdc5b8c_check',
    ],
    [
      'an exclusion',
      strategy.exclusionConstraintName('stays', 'USING gist (room WITH =)'),
      'stays_using_gist_room_with_b1a1b3ca_excl',
    ],
    [
      'a long name',
      strategy.foreignKeyName(LONG, [`${LONG}_id`]),
      'measurement_of_the_barometric_pressure_measuremen_c38dbee4_fkey',
    ],
    [
      'a long name of another column',
      strategy.foreignKeyName(LONG, [`${LONG}_no`]),
      'measurement_of_the_barometric_pressure_measuremen_3994b193_fkey',
    ],
    [
      'a long name of two-byte letters',
      strategy.columnName('ж'.repeat(40), undefined, []),
      'жжжжжжжжжжжжжжжжжжжжжжжжжжж_bc81211b',
    ],
  ])('names %s', (_what, name, expected) => {
    expect(name).toBe(expected);
  });

  it('never exceeds the 63 bytes of PostgreSQL, nor cuts a character in two', () => {
    const name = fc.string({ unit: fc.constantFrom('a', 'é', '字', '😀'), minLength: 1, maxLength: 80 });
    fc.assert(
      fc.property(name, name, (table, column) => {
        for (const made of [
          strategy.indexName(table, [column]),
          strategy.columnName(column, undefined, [table]),
        ]) {
          expect(Buffer.byteLength(made)).toBeLessThanOrEqual(63);
          expect(made).not.toContain('\uFFFD');
        }
      }),
    );
  });
});
