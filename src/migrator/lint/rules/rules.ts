import type { Rule } from '../rule.js';
import { COLUMN_RULES } from './columns.js';
import { CONSTRAINT_RULES } from './constraints.js';
import { DATA_RULES } from './data.js';
import { DROP_RULES } from './drops.js';
import { INDEX_RULES } from './indexes.js';
import { LOCK_RULES } from './locks.js';
import { RENAME_RULES } from './renames.js';
import { TRANSACTION_RULES } from './transactions.js';
import { TYPE_RULES } from './types.js';
import { WHOLE_MIGRATION_RULES } from './whole-migration.js';

export const RULES: readonly Rule[] = [
  ...INDEX_RULES,
  ...COLUMN_RULES,
  ...CONSTRAINT_RULES,
  ...TRANSACTION_RULES,
  ...LOCK_RULES,
  ...DROP_RULES,
  ...RENAME_RULES,
  ...DATA_RULES,
  ...TYPE_RULES,
  ...WHOLE_MIGRATION_RULES,
];
