import { loadModule, parseSync, scanSync } from 'libpg-query';

/**
 * PostgreSQL's own grammar. The nodes are those of its parser:
 * https://github.com/postgres/postgres/blob/REL_18_STABLE/src/include/nodes/parsenodes.h
 */

/** @typedef {import('libpg-query').Node} Node */
/** @typedef {import('libpg-query').RangeVar} RangeVar */
/**
 * @template Union
 * @typedef {(Union extends unknown ? (member: Union) => void : never) extends (all: infer All) => void ? All : never} AllOf
 */
/** @typedef {AllOf<Node>} Nodes what each kind of node holds, by its name */

/**
 * @typedef {object} Statement
 * @property {string} kind the node's, such as `IndexStmt`
 * @property {Node} node
 * @property {string} text as written
 * @property {string} lead what stands before it in its query: comments, for the first
 * @property {readonly string[]} identifiers as written, before PostgreSQL cuts them off
 */

// Once for the process: the parser is WebAssembly.
await loadModule();

/**
 * @param {string} sql one or more statements
 * @returns {Statement[]}
 * @throws {Error} where PostgreSQL would refuse it; the message is PostgreSQL's
 */
export function parseStatements(sql) {
  if (sql.trim() === '') return [];
  // The parser counts in bytes.
  const bytes = Buffer.from(sql);
  return (parseSync(sql).stmts ?? []).map(({ stmt, stmt_location: start = 0, stmt_len: length }) => {
    const text = bytes.subarray(start, length === undefined ? undefined : start + length).toString();
    const lead = bytes.subarray(0, start).toString();
    const node = /** @type {Node} */ (stmt);
    return { kind: kindOf(node), node, text, lead, identifiers: identifiersOf(text) };
  });
}

/** @param {Node} node */
export function kindOf(node) {
  return Object.keys(node)[0] ?? '';
}

/**
 * What the node holds, if it is of that kind.
 *
 * @template {keyof Nodes} Kind
 * @param {Node | undefined} node
 * @param {Kind} kind
 * @returns {Nodes[Kind] | undefined}
 */
export function as(node, kind) {
  return /** @type {Partial<Nodes> | undefined} */ (node)?.[kind];
}

/**
 * Of those nodes that are of that kind, what they hold.
 *
 * @template {keyof Nodes} Kind
 * @param {readonly Node[] | undefined} nodes
 * @param {Kind} kind
 * @returns {Nodes[Kind][]}
 */
export function allOf(nodes, kind) {
  return (nodes ?? []).flatMap((node) => as(node, kind) ?? []);
}

/**
 * Every node of that kind in a tree, however deep.
 *
 * @template {keyof Nodes} Kind
 * @param {unknown} tree
 * @param {Kind} kind
 * @returns {Nodes[Kind][]}
 */
export function within(tree, kind) {
  if (typeof tree !== 'object' || tree === null) return [];
  return Object.entries(tree).flatMap(([key, value]) => [
    ...(key === kind ? [/** @type {Nodes[Kind]} */ (value)] : []),
    ...within(value, kind),
  ]);
}

const DATA_STATEMENTS = new Set(['SelectStmt', 'InsertStmt', 'UpdateStmt', 'DeleteStmt', 'MergeStmt']);

/**
 * The UPDATEs and DELETEs that a statement does, those in its WITH too.
 *
 * @param {Node} node
 */
export function writesIn(node) {
  if (!DATA_STATEMENTS.has(kindOf(node))) return [];
  return [...within(node, 'UpdateStmt'), ...within(node, 'DeleteStmt')];
}

/**
 * A name of several parts, such as `public.entries`.
 *
 * @param {readonly Node[] | undefined} parts
 */
export function nameOf(parts) {
  return qualified(allOf(parts, 'String').map(({ sval }) => sval ?? ''));
}

/**
 * The name that stands for one thing however it is written: what is in `public` is written without it.
 *
 * @param {readonly string[]} parts
 */
export function qualified(parts) {
  const [first, ...rest] = parts;
  return first === 'public' || first === 'pg_catalog' ? rest.join('.') : parts.join('.');
}

/** @param {RangeVar | undefined} relation */
export function relationName(relation) {
  return qualified([...(relation?.schemaname ? [relation.schemaname] : []), relation?.relname ?? '']);
}

/**
 * The columns that an expression reads.
 *
 * @param {unknown} expression
 * @returns {string[]}
 */
export function columnsIn(expression) {
  return within(expression, 'ColumnRef').flatMap(({ fields }) => {
    const name = allOf(fields, 'String').at(-1)?.sval;
    return name === undefined ? [] : [name];
  });
}

/**
 * Whether an option such as `(CONCURRENTLY)` or `(FULL off)` is on.
 *
 * @param {readonly Node[] | undefined} options
 * @param {string} name
 */
export function isOn(options, name) {
  const option = allOf(options, 'DefElem').find(({ defname }) => defname === name);
  if (option === undefined) return false;
  const value = as(option.arg, 'String')?.sval ?? as(option.arg, 'Integer')?.ival;
  return option.arg === undefined || !['off', 'false', '0', 'no', undefined].includes(value?.toString());
}

/**
 * @param {string} sql
 * @returns {string[]}
 */
function identifiersOf(sql) {
  return scanSync(sql).tokens.flatMap(({ tokenName, text }) => {
    if (tokenName !== 'IDENT') return [];
    return text.startsWith('"') ? text.slice(1, -1).replaceAll('""', '"') : text;
  });
}
