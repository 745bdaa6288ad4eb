/** `bytes` as a client sends them, in chunks of these sizes in turn. */
export async function* chunksOf(bytes: Buffer | string, ...sizes: number[]): AsyncGenerator<Buffer> {
  const rest = Buffer.from(bytes as string);
  let turn = 0;
  for (let from = 0; from < rest.length;) {
    const size = sizes[turn++ % sizes.length] ?? rest.length;
    yield rest.subarray(from, from + size);
    from += size;
    await Promise.resolve();
  }
}

/** `bytes`, and then a failure. */
export async function* failingAfter(bytes: Buffer | string, failure: Error): AsyncGenerator<Buffer> {
  yield* chunksOf(bytes);
  throw failure;
}

export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const collected: T[] = [];
  for await (const item of items) collected.push(item);
  return collected;
}
