import { join } from 'node:path';

/** The folder of the migrations. */
export const MIGRATIONS = join(import.meta.dirname, 'migrations');

/** By their names, as no file of this folder may import what imports it. */
export const ENTITIES = [join(import.meta.dirname, '..', '**/*.entity.js')];
