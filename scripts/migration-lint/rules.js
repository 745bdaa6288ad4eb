import { COLUMN_RULES } from './rules/columns.js';
import { CONSTRAINT_RULES } from './rules/constraints.js';
import { DATA_RULES } from './rules/data.js';
import { DROP_RULES } from './rules/drops.js';
import { INDEX_RULES } from './rules/indexes.js';
import { LOCK_RULES } from './rules/locks.js';
import { RENAME_RULES } from './rules/renames.js';
import { TRANSACTION_RULES } from './rules/transactions.js';
import { TYPE_RULES } from './rules/types.js';
import { WHOLE_MIGRATION_RULES } from './rules/whole-migration.js';

export const RULES = [
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
