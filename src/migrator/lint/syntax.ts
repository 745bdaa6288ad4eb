import { loadModule, parseSync, scanSync, type Node, type RangeVar } from 'libpg-query';

/**
 * PostgreSQL's own grammar. The nodes are those of its parser:
 * https://github.com/postgres/postgres/blob/REL_18_STABLE/src/include/nodes/parsenodes.h
 */

type Intersection<Union> = (Union extends unknown ? (member: Union) => void : never) extends (
  all: infer All,
) => void
  ? All
  : never;

/** What each kind of node holds, by its name. */
export type Nodes = Intersection<Node>;

/** A function for each kind of node that it is about. */
export type ByKind<Args extends unknown[], Result> = {
  readonly [Kind in keyof Nodes]?: (body: Nodes[Kind], ...args: Args) => Result;
};

export interface Statement {
  /** Such as `IndexStmt`. */
  readonly kind: keyof Nodes;
  readonly node: Node;
  /** As written. */
  readonly text: string;
  /** What stands before it in its query: comments, for the first. */
  readonly lead: string;
  /** As written, before PostgreSQL cuts them off. */
  readonly identifiers: readonly string[];
}

// Once for the process: the parser is WebAssembly.
await loadModule();

/** @throws {Error} where PostgreSQL would refuse it; the message is PostgreSQL's */
export function parseStatements(sql: string): Statement[] {
  if (sql.trim() === '') return [];
  // The parser counts in bytes.
  const bytes = Buffer.from(sql);
  return (parseSync(sql).stmts ?? []).map(({ stmt, stmt_location: start = 0, stmt_len: length }) => {
    const text = bytes.subarray(start, length === undefined ? undefined : start + length).toString();
    const node = stmt as Node;
    const lead = bytes.subarray(0, start).toString();
    return { kind: kindOf(node), node, text, lead, identifiers: identifiersIn(text) };
  });
}

function identifiersIn(sql: string): string[] {
  return scanSync(sql)
    .tokens.filter(({ tokenName }) => tokenName === 'IDENT')
    .map(({ text }) => (text.startsWith('"') ? text.slice(1, -1).replaceAll('""', '"') : text));
}

function kindOf(node: Node): keyof Nodes {
  return Object.keys(node)[0] as keyof Nodes;
}

/** Calls the function for the kind of this node, if there is one. */
export function dispatch<Args extends unknown[], Result>(
  functions: ByKind<Args, Result> | undefined,
  node: Node,
  ...args: Args
): Result | undefined {
  return functions?.[kindOf(node)]?.(Object.values(node)[0] as never, ...args);
}

/** What the node holds, if it is of that kind. */
export function as<Kind extends keyof Nodes>(node: Node | undefined, kind: Kind): Nodes[Kind] | undefined {
  return (node as Partial<Nodes> | undefined)?.[kind];
}

/** What those nodes hold that are of that kind. */
export function allOf<Kind extends keyof Nodes>(
  nodes: readonly Node[] | undefined,
  kind: Kind,
): Nodes[Kind][] {
  return (nodes ?? []).flatMap((node) => as(node, kind) ?? []);
}

/** Every node of that kind in a tree, however deep. */
export function within<Kind extends keyof Nodes>(tree: unknown, kind: Kind): Nodes[Kind][] {
  if (typeof tree !== 'object' || tree === null) return [];
  return Object.entries(tree).flatMap(([key, value]) => [
    ...(key === kind ? [value as Nodes[Kind]] : []),
    ...within(value, kind),
  ]);
}

/** The UPDATEs and DELETEs that a statement does, those in its WITH too. */
export function writesIn(node: Node) {
  if (!/^(Select|Insert|Update|Delete|Merge)Stmt$/.test(kindOf(node))) return [];
  return [...within(node, 'UpdateStmt'), ...within(node, 'DeleteStmt')];
}

export function textsOf(nodes: readonly Node[] | undefined): string[] {
  return allOf(nodes, 'String').map(({ sval }) => sval ?? '');
}

/** A name of several parts, such as `public.entries`. */
export function nameOf(parts: readonly Node[] | undefined): string {
  return qualified(textsOf(parts));
}

/** A normalized name: without the schemas that need not be written. */
export function qualified(parts: readonly string[]): string {
  const [first = '', ...rest] = parts;
  return ['public', 'pg_catalog'].includes(first) ? rest.join('.') : parts.join('.');
}

export function relationName(relation: RangeVar | undefined): string {
  return qualified([...(relation?.schemaname ? [relation.schemaname] : []), relation?.relname ?? '']);
}

/** The columns that an expression reads. */
export function columnsIn(expression: unknown): string[] {
  return within(expression, 'ColumnRef').flatMap(({ fields }) => textsOf(fields).at(-1) ?? []);
}

/** Whether an option such as `(CONCURRENTLY)` or `(FULL off)` is on. */
export function isOn(options: readonly Node[] | undefined, name: string): boolean {
  const option = allOf(options, 'DefElem').find(({ defname }) => defname === name);
  if (option === undefined) return false;
  const value = as(option.arg, 'String')?.sval ?? as(option.arg, 'Integer')?.ival;
  return option.arg === undefined || !['off', 'false', '0', 'no', undefined].includes(value?.toString());
}
