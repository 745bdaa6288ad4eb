import { Tokenizer, TokenParser, TokenType } from '@streamparser/json';
import { ImportFileError } from './format.js';

/** No export that we know nests deeper than about ten. */
const MOST_DEPTH = 64;

/** What arrives is parsed in pieces of this size, so that one chunk cannot hold up other requests for long. */
const SLICE_BYTES = 16 * 1024;

export interface JsonElement {
  /** The array that has the element, such as `entries`. */
  readonly array: string;
  readonly value: unknown;
}

/**
 * Reads the elements of arrays at the top of a JSON object as they arrive: `entries` in `{"entries": [{…}, {…}]}`.
 *
 * @param maxBytes between the ends of two elements
 * @throws {ImportFileError} if it is not JSON, ends early, nests too deeply, or has too large an element
 */
export async function* jsonElements(
  file: AsyncIterable<Buffer>,
  arrays: readonly string[],
  maxBytes: number,
): AsyncGenerator<JsonElement[]> {
  let elements: JsonElement[] = [];
  let count = 0;
  let depth = 0;
  let sinceElement = 0;
  let failure: ImportFileError | undefined;
  const fail = (reason: string) => (failure ??= new ImportFileError(`${reason}, after ${count} entries`));
  const tokenizer = new Tokenizer();
  const parser = new TokenParser({ paths: arrays.map((name) => `$.${name}.*`), keepStack: false });
  tokenizer.onToken = (token) => {
    if (depth === 0 && token.token !== TokenType.LEFT_BRACE) throw fail('The file is not a JSON object');
    if (token.token === TokenType.LEFT_BRACE || token.token === TokenType.LEFT_BRACKET) depth += 1;
    else if (token.token === TokenType.RIGHT_BRACE || token.token === TokenType.RIGHT_BRACKET) depth -= 1;
    if (depth > MOST_DEPTH) throw fail(`The JSON nests deeper than ${MOST_DEPTH}`);
    parser.write(token);
  };
  parser.onValue = ({ value, stack }) => {
    elements.push({ array: String(stack[1]?.key), value });
    count += 1;
    sinceElement = 0;
  };
  const notJson = () => void fail('The file is not valid JSON');
  tokenizer.onError = notJson;
  parser.onError = notJson;
  for await (const chunk of file) {
    for (let from = 0; from < chunk.length && !failure; from += SLICE_BYTES) {
      const slice = chunk.subarray(from, from + SLICE_BYTES);
      sinceElement += slice.length;
      if (sinceElement > maxBytes + SLICE_BYTES) fail(`An entry is longer than ${maxBytes} bytes`);
      else tokenizer.write(slice);
      if (elements.length === 0) continue;
      yield elements;
      elements = [];
    }
    if (failure) throw failure;
  }
  if (!parser.isEnded) throw fail('The file ends early');
}
