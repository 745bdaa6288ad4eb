import { join } from 'node:path';

export const MIGRATIONS = join(import.meta.dirname, 'migrations');

/** Glob patterns instead of imports, which would make an import cycle. */
export const ENTITIES = [join(import.meta.dirname, '..', '**/*.entity.js')];
