import { typeOf } from './column-types.js';
import { allOf, as, nameOf } from './syntax.js';

/** @typedef {import('libpg-query').Node} Node */
/** @typedef {import('libpg-query').Constraint} ConstraintClause */

/**
 * A column as a statement declares it.
 *
 * @typedef {object} ColumnDeclaration
 * @property {string} name
 * @property {import('./column-types.js').Type} type
 * @property {boolean} isSerial
 * @property {boolean} isIdentity
 * @property {boolean} isNotNull
 * @property {Node | undefined} default undefined for none, and for NULL
 * @property {'stored' | 'virtual' | undefined} generated
 * @property {string | undefined} collation
 * @property {readonly ConstraintClause[]} checks
 * @property {readonly ConstraintClause[]} foreignKeys
 * @property {ConstraintClause | undefined} unique `UNIQUE` or `PRIMARY KEY`
 */

/**
 * @param {import('libpg-query').ColumnDef} written
 * @returns {ColumnDeclaration}
 */
export function declarationOf(written) {
  const { isSerial, ...type } = typeOf(written.typeName);
  const clauses = allOf(written.constraints, 'Constraint');
  /** @param {ConstraintClause['contype'][]} types */
  const of = (...types) => clauses.filter(({ contype }) => types.includes(contype));
  const [identity] = of('CONSTR_IDENTITY');
  const [generated] = of('CONSTR_GENERATED');
  const [unique] = of('CONSTR_PRIMARY', 'CONSTR_UNIQUE');
  const value = of('CONSTR_DEFAULT')[0]?.raw_expr;
  return {
    name: written.colname ?? '',
    type,
    isSerial,
    isIdentity: identity !== undefined,
    isNotNull: isSerial || identity !== undefined || of('CONSTR_NOTNULL', 'CONSTR_PRIMARY').length > 0,
    default: isNull(value) ? undefined : value,
    generated: generated && (generated.generated_kind === 's' ? 'stored' : 'virtual'),
    collation: written.collClause && nameOf(written.collClause.collname),
    checks: of('CONSTR_CHECK'),
    foreignKeys: of('CONSTR_FOREIGN'),
    unique,
  };
}

/**
 * @param {Node | undefined} expression
 * @returns {boolean}
 */
function isNull(expression) {
  const cast = as(expression, 'TypeCast');
  return cast ? isNull(cast.arg) : as(expression, 'A_Const')?.isnull === true;
}
