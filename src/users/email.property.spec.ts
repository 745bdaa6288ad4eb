import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { EmailSchema } from './users.schemas.js';

const address = fc
  .tuple(
    fc.stringMatching(/^[a-zA-Z0-9]{1,12}([.+_-][a-zA-Z0-9]{1,8})?$/),
    fc.stringMatching(/^[a-z0-9]{1,12}(-[a-z0-9]{1,8})?$/),
  )
  .map(([local, domain]) => `${local}@${domain}.example`);

/** Characters that look like another, vanish, or become another by folding or normalisation. */
const trickery = fc.oneof(
  fc.constantFrom(
    // ſ upper-cases to S, İ and ı are i's, K is the Kelvin sign, ﬀ and ｅ decompose, ß becomes ss.
    ...['ſ', 'İ', 'ı', '\u212A', 'ﬀ', 'ｅ', 'ß', '①', '℡', '＠', '．', '。'],
    // Zero-width, joiners, soft hyphen, marks of direction, variation selector, combining accent, tag, filler.
    ...[
      '\u200B',
      '\u200C',
      '\u200D',
      '\u2060',
      '\u00AD',
      '\u202E',
      '\uFE0F',
      '\u0301',
      '\u{E0041}',
      '\u3164',
    ],
    // Cyrillic and Greek homographs.
    ...['а', 'е', 'о', 'р', 'с', 'ο', 'ν'],
    ...['\u0000', '\r', '\n', '\t', ' ', '\u0085', '\u2028', '\u00A0'],
  ),
  fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }).filter((char) => char.codePointAt(0)! > 0x7e),
);

describe('an e-mail address, whatever is sent', () => {
  it('is stored as lower-case ASCII in normal form, or refused', () => {
    fc.assert(
      fc.property(fc.oneof(address, fc.emailAddress(), fc.string({ unit: 'binary' })), (given) => {
        const { success, data } = EmailSchema.safeParse(given);
        if (!success) return;
        expect(data).toMatch(/^[\x21-\x7e]{3,254}$/);
        expect(data).toBe(data.normalize('NFKC').toLowerCase());
        expect(EmailSchema.parse(data)).toBe(data);
      }),
    );
  });

  it('is the same account in any case, with or without surrounding blanks', () => {
    fc.assert(
      fc.property(address, fc.constantFrom('', ' ', '\t', '\r\n', '\u00A0'), (given, blank) => {
        const kept = EmailSchema.parse(given);
        expect(EmailSchema.parse(blank + given.toUpperCase() + blank)).toBe(kept);
        expect(kept).toBe(given.toLowerCase());
      }),
    );
  });

  it('is refused with any non-ASCII character, so that no address looks like another', () => {
    fc.assert(
      fc.property(address, trickery, fc.nat(), (given, trick, at) => {
        // Within: what is around it is trimmed.
        const place = 1 + (at % (given.length - 1));
        const tricked = given.slice(0, place) + trick + given.slice(place);
        expect(EmailSchema.safeParse(tricked).success).toBe(false);
      }),
      { numRuns: 500 },
    );
  });

  it('is checked quickly at any length', () => {
    fc.assert(
      fc.property(
        fc.constantFrom('a', 'a.', '@', '.a-', ' ', 'ſ', '"'),
        fc.integer({ min: 255, max: 200_000 }),
        (unit, length) => {
          expect(EmailSchema.safeParse(`${unit.repeat(length)}@example.org`).success).toBe(false);
        },
      ),
      { numRuns: 30 },
    );
  });
});
