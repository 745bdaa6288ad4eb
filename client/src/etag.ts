/** Header of a write that succeeds only while the entry has the version that was read; otherwise it gets 412. */
export function ifMatch({ version }: { readonly version: number }): { 'If-Match': string } {
  return { 'If-Match': `"${version}"` };
}

/** Header of a read that gets 304, without a body, while what this response had is still current. */
export function ifNoneMatch({ headers }: Response): { 'If-None-Match'?: string } {
  const etag = headers.get('etag');
  return etag === null ? {} : { 'If-None-Match': etag };
}
