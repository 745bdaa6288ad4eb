import { POSTGRES_DOCS, type Rule } from '../rule.js';
/** In bytes: NAMEDATALEN - 1. */
const LONGEST_NAME = 63;

export const TYPE_RULES: readonly Rule[] = [
  {
    name: 'json-type',
    why: 'json has no equality: SELECT DISTINCT, GROUP BY and UNION over the row fail.',
    instead: 'jsonb.',
    source: `${POSTGRES_DOCS}/datatype-json.html`,
    only: 'up',
    column: ({ name, type }, site) => type.name === 'json' && site.path(name),
  },
  {
    name: 'char-type',
    why: 'char(n) pads with blanks and compares without them: what is read is not what was written.',
    instead: 'text or varchar(n).',
    source: `${POSTGRES_DOCS}/datatype-character.html`,
    only: 'up',
    column: ({ name, type }, site) => type.name === 'bpchar' && site.path(name),
  },
  {
    name: 'timestamp-type',
    why: 'timestamp forgets the time zone: the same moment is read differently by sessions in different zones.',
    instead: 'timestamp with time zone.',
    source: `${POSTGRES_DOCS}/datatype-datetime.html#DATATYPE-TIMEZONES`,
    only: 'up',
    column: ({ name, type }, site) => type.name === 'timestamp' && site.path(name),
  },
  {
    name: 'small-key',
    why: 'The 32-bit numbers run out at 2,147,483,647: every INSERT fails, and the fix rewrites the table.',
    instead: 'bigint GENERATED ALWAYS AS IDENTITY, or an id that the application makes.',
    source: `${POSTGRES_DOCS}/datatype-numeric.html#DATATYPE-INT`,
    only: 'up',
    column: ({ name, type, isSerial, isIdentity }, site) =>
      /^int[24]$/.test(type.name) && (isSerial || isIdentity) && site.path(name),
  },
  {
    name: 'long-name',
    why: `PostgreSQL cuts names off after ${LONGEST_NAME} bytes: the entity's name is never found in the database.`,
    instead: 'A shorter name.',
    source: `${POSTGRES_DOCS}/sql-syntax-lexical.html#SQL-SYNTAX-IDENTIFIERS`,
    only: 'up',
    each: ({ identifiers }) =>
      [...new Set(identifiers)].filter((name) => Buffer.byteLength(name) > LONGEST_NAME),
  },
];
