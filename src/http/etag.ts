/** RFC 9110 §8.8.3: the strong entity tag of a version. */
export function etagOf(version: number): string {
  return `"${version}"`;
}

const TAG = /(W\/)?"([\x21\x23-\x7e\x80-\xff]*)"/g;

/** `If-None-Match` compares weakly (RFC 9110 §13.1.2): true when the client holds this version already. */
export function noneMatchHolds(header: string | undefined, version: number): boolean {
  if (header === undefined) return false;
  return header.trim() === '*' || [...header.matchAll(TAG)].some(([, , tag]) => tag === String(version));
}

/**
 * The versions that `If-Match` accepts (RFC 9110 §13.1.1, strong comparison): undefined for every version (no
 * header, or `*`), an empty list for none.
 */
export function versionsToMatch(header: string | undefined): number[] | undefined {
  if (header === undefined || header.trim() === '*') return undefined;
  return [...header.matchAll(TAG)]
    .filter(([, weak, tag]) => weak === undefined && /^[1-9]\d{0,9}$/.test(tag ?? ''))
    .map(([, , tag]) => Number(tag))
    .filter((version) => version <= 2_147_483_647);
}
