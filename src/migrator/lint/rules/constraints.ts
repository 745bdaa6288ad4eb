import { POSTGRES_DOCS, type Rule } from '../rule.js';
import { as, nameOf } from '../syntax.js';

const NOTES = `${POSTGRES_DOCS}/sql-altertable.html#SQL-ALTERTABLE-NOTES`;

export const CONSTRAINT_RULES: readonly Rule[] = [
  {
    name: 'constraint-not-valid',
    why: 'Every row is checked while nobody can write (for a CHECK: or read) the table.',
    instead: 'ADD CONSTRAINT … NOT VALID, and VALIDATE CONSTRAINT in the next migration.',
    source: NOTES,
    alter: {
      AT_AddConstraint({ def }, site) {
        const clause = as(def, 'Constraint');
        const { contype, conname, skip_validation: isNotValid, is_enforced: isEnforced } = clause ?? {};
        const scans = contype === 'CONSTR_CHECK' || contype === 'CONSTR_FOREIGN';
        if (!scans || !site.isInUse || isNotValid || isEnforced === false) return undefined;
        return `${site.name}: ${conname ?? 'a constraint without a name'}`;
      },
      AT_AlterConstraint({ def }, site) {
        const change = as(def, 'ATAlterConstraint');
        const scans = change?.alterEnforceability && change.is_enforced;
        return site.isInUse && scans && `${site.name}: ${change.conname ?? ''}`;
      },
    },
    column(column, site) {
      // Where the new column is NULL in every row, PostgreSQL looks up no reference, but still computes a CHECK.
      const foreignKeys = column.default === undefined ? [] : column.foreignKeys;
      const scans = [...column.checks, ...foreignKeys].some((clause) => clause.is_enforced !== false);
      return site.isAdded && scans && site.path(column.name);
    },
    on: {
      AlterDomainStmt({ subtype, typeName, def }, site) {
        const name = nameOf(typeName);
        const isNotValid = as(def, 'Constraint')?.skip_validation === true;
        const scans = subtype === 'O' || (subtype === 'C' && !isNotValid);
        return scans && !site.isOwn(site.schema.madeOther('OBJECT_DOMAIN', name)) && `domain ${name}`;
      },
    },
  },
  {
    name: 'unique-without-index',
    why: 'Its index is built while nobody can read or write the table.',
    instead: 'CREATE UNIQUE INDEX CONCURRENTLY; then ADD CONSTRAINT … UNIQUE (or PRIMARY KEY) USING INDEX.',
    source: `${POSTGRES_DOCS}/sql-altertable.html#SQL-ALTERTABLE-DESC-ADD-TABLE-CONSTRAINT-USING-INDEX`,
    alter: {
      AT_AddConstraint({ def }, site) {
        const { contype, indexname } = as(def, 'Constraint') ?? {};
        const isUnique = contype === 'CONSTR_UNIQUE' || contype === 'CONSTR_PRIMARY';
        return site.isInUse && isUnique && indexname === undefined && site.name;
      },
    },
    column: ({ name, unique }, site) => site.isAdded && unique && site.path(name),
  },
  {
    name: 'add-exclusion',
    why: 'Its index is built while nobody can read or write the table; PostgreSQL has no other way.',
    instead:
      'A new table with the constraint, filled in batches; or a quiet hour, and a waiver that says so.',
    source: `${POSTGRES_DOCS}/sql-createtable.html#SQL-CREATETABLE-EXCLUDE`,
    alter: {
      AT_AddConstraint: ({ def }, site) =>
        site.isInUse && as(def, 'Constraint')?.contype === 'CONSTR_EXCLUSION' && site.name,
    },
  },
];
