/** RFC 9110 §8.8.3: the strong entity tag of a version. */
export function etagOf(version: number): string {
  return `"${version}"`;
}

/** A weak entity tag: the content is equivalent, but not necessarily byte-identical. */
export function weakEtagOf(validator: string): string {
  return `W/"${validator}"`;
}

/** Whether `If-None-Match` names this validator, so the client has this representation (RFC 9110 §13.1.2). */
export function hasValidator(header: string, validator: string): boolean {
  return isAny(header) || tagsOf(header).some(({ opaque }) => opaque === validator);
}

/** The versions that a write applies to: RFC 9110 §13.1.1 and §13.1.2. */
export interface Precondition {
  readonly oneOf?: readonly number[] | undefined;
  /** Undefined: any but those of `oneOf`. */
  readonly noneOf?: readonly number[] | undefined;
}

/** The precondition of a write. `If-None-Match: *` accepts no version. */
export function preconditionOf(ifMatch: string | undefined, ifNoneMatch: string | undefined): Precondition {
  if (isAny(ifNoneMatch)) return { oneOf: [] };
  return { oneOf: versionsToMatch(ifMatch), noneOf: versionsOf(tagsOf(ifNoneMatch ?? '')) };
}

/** `If-None-Match` compares weakly (RFC 9110 §13.1.2): true if the client already has this version. */
export function matchesIfNoneMatch(header: string | undefined, version: number): boolean {
  return isAny(header) || versionsOf(tagsOf(header ?? '')).includes(version);
}

/**
 * The versions that `If-Match` accepts (RFC 9110 §13.1.1, strong comparison): undefined for every version (no
 * header, or `*`), an empty list for none.
 */
export function versionsToMatch(header: string | undefined): number[] | undefined {
  if (header === undefined || isAny(header)) return undefined;
  return versionsOf(tagsOf(header).filter(({ isWeak }) => !isWeak));
}

interface Tag {
  readonly isWeak: boolean;
  readonly opaque: string;
}

/** A member of a list of entity tags, which may be empty (RFC 9110 §5.6.1), with the comma or the end after it. */
const MEMBER = /[ \t]*(?:(W\/)?"([\x21\x23-\x7e\x80-\xff]*)"[ \t]*)?(?:,|$)/y;

/** @returns no tags if the header is malformed */
function tagsOf(header: string): Tag[] {
  const tags: Tag[] = [];
  MEMBER.lastIndex = 0;
  while (MEMBER.lastIndex < header.length) {
    const member = MEMBER.exec(header);
    if (!member) return [];
    const [, weak, opaque] = member;
    if (opaque !== undefined) tags.push({ isWeak: weak !== undefined, opaque });
  }
  return tags;
}

function versionsOf(tags: readonly Tag[]): number[] {
  return tags
    .filter(({ opaque }) => /^[1-9]\d{0,9}$/.test(opaque))
    .map(({ opaque }) => Number(opaque))
    .filter((version) => version <= 2_147_483_647);
}

function isAny(header: string | undefined): boolean {
  return header?.trim() === '*';
}
