import type { ColumnDef, Constraint, Node } from 'libpg-query';
import { allOf, as, nameOf } from '../syntax.js';
import { typeOf, type Type } from './column-type.js';

/** A column as a statement declares it. */
export interface ColumnDeclaration {
  readonly name: string;
  readonly type: Type;
  readonly isSerial: boolean;
  readonly isIdentity: boolean;
  readonly isNotNull: boolean;
  /** Undefined for none, and for NULL. */
  readonly default: Node | undefined;
  readonly generated: 'stored' | 'virtual' | undefined;
  readonly collation: string | undefined;
  readonly checks: readonly Constraint[];
  readonly foreignKeys: readonly Constraint[];
  /** `UNIQUE` or `PRIMARY KEY`. */
  readonly unique: Constraint | undefined;
}

/** @param name in ALTER COLUMN … TYPE it is not part of the definition */
export function declarationOf(written: ColumnDef, name = written.colname ?? ''): ColumnDeclaration {
  const { isSerial, ...type } = typeOf(written.typeName);
  const clauses = allOf(written.constraints, 'Constraint');
  const of = (...types: Constraint['contype'][]) => clauses.filter(({ contype }) => types.includes(contype));
  const isIdentity = of('CONSTR_IDENTITY').length > 0;
  const [generated] = of('CONSTR_GENERATED');
  const value = of('CONSTR_DEFAULT')[0]?.raw_expr;
  return {
    name,
    type,
    isSerial,
    isIdentity,
    isNotNull: isSerial || isIdentity || of('CONSTR_NOTNULL', 'CONSTR_PRIMARY').length > 0,
    default: isNull(value) ? undefined : value,
    generated: generated && (generated.generated_kind === 's' ? 'stored' : 'virtual'),
    collation: written.collClause && nameOf(written.collClause.collname),
    checks: of('CONSTR_CHECK'),
    foreignKeys: of('CONSTR_FOREIGN'),
    unique: of('CONSTR_PRIMARY', 'CONSTR_UNIQUE')[0],
  };
}

function isNull(expression: Node | undefined): boolean {
  const cast = as(expression, 'TypeCast');
  return cast ? isNull(cast.arg) : as(expression, 'A_Const')?.isnull === true;
}
