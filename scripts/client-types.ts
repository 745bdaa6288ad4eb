import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import openapiTS, { astToString } from 'openapi-typescript';
import ts from 'typescript';
import { ROOT } from './environment.js';

/**
 * `npm run client:types`: writes the types of the client from docs/openapi.json. With `--check`, it writes nothing and
 * exits 1 if they are out of date.
 *
 * The command of openapi-typescript cannot make a `Blob` of a binary body.
 */
const types = await openapiTS(pathToFileURL(join(ROOT, 'docs/openapi.json')), {
  // The server fills in defaults: a request may leave them out.
  defaultNonNullable: false,
  // `Entry` beside `components['schemas']['Entry']`.
  rootTypes: true,
  rootTypesNoSchemaPrefix: true,
  transform: ({ format }) => (format === 'binary' ? ts.factory.createTypeReferenceNode('Blob') : undefined),
});
const text = `// npm run client:types writes this file from docs/openapi.json.\n\n${astToString(types)}`;
const file = join(ROOT, 'client/src/openapi.ts');
if (!process.argv.includes('--check')) {
  writeFileSync(file, text);
} else if (readFileSync(file, 'utf8') !== text) {
  console.error('client/src/openapi.ts is out of date: run npm run client:types');
  process.exitCode = 1;
}
