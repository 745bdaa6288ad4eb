import * as z from 'zod';
import { CursorSchema, LimitSchema, NextCursorSchema } from '../http/paging/page.schemas.js';
import { NOT_BLANK, text } from '../http/validation/text.schema.js';
import { ROLES, type User } from '../users/user.entity.js';
import { toUserBody, USER_EXAMPLE, UserSchema } from '../users/users.schemas.js';

export const UserIdSchema = z.uuid('must be a UUID').toLowerCase();

const ADMIN_USER_EXAMPLE = { ...USER_EXAMPLE, disabledAt: null };

export const AdminUserSchema = UserSchema.extend({
  disabledAt: z.iso.datetime().nullable().meta({ description: 'null: the user can sign in' }),
}).meta({
  id: 'AdminUser',
  description: 'an account, as administrators see it',
  example: ADMIN_USER_EXAMPLE,
});
export type AdminUserBody = z.infer<typeof AdminUserSchema>;

export const AdminUserListQuerySchema = z.strictObject({
  q: z.string().trim().pipe(text(1, 254)).optional().meta({
    description: 'part of the e-mail address or the display name, ignoring case',
    minLength: 1,
    maxLength: 254,
    pattern: NOT_BLANK,
  }),
  limit: LimitSchema,
  cursor: CursorSchema,
});
export type AdminUserListQuery = z.infer<typeof AdminUserListQuerySchema>;

export const AdminUserListSchema = z
  .object({ users: z.array(AdminUserSchema), limit: z.int(), nextCursor: NextCursorSchema })
  .meta({
    id: 'AdminUserList',
    description: 'a page of users',
    example: { users: [ADMIN_USER_EXAMPLE], limit: 20, nextCursor: null },
  });
export type AdminUserList = z.infer<typeof AdminUserListSchema>;

export const AdminUserPatchSchema = z
  .strictObject({ disabled: z.boolean().optional(), role: z.enum(ROLES).optional() })
  .meta({
    id: 'AdminUserPatch',
    description: 'omitted fields stay unchanged',
    example: { disabled: true },
  });
export type AdminUserPatch = z.infer<typeof AdminUserPatchSchema>;

export function toAdminUserBody(user: User): AdminUserBody {
  return { ...toUserBody(user), disabledAt: user.disabledAt?.toISOString() ?? null };
}
