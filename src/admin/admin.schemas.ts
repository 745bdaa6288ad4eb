import { z } from 'zod';
import { CursorSchema, LimitSchema, NextCursorSchema } from '../http/paging/page.schemas.js';
import { text } from '../http/validation/text.schema.js';
import { ROLES, type User } from '../users/user.entity.js';
import { toUserBody, UserSchema } from '../users/users.schemas.js';

export const UserIdSchema = z.uuid('must be a UUID').toLowerCase();

export const AdminUserSchema = UserSchema.extend({
  disabledAt: z.iso.datetime().nullable().meta({ description: 'null: the user can sign in' }),
}).meta({ id: 'AdminUser' });
export type AdminUserBody = z.infer<typeof AdminUserSchema>;

export const AdminUserListQuerySchema = z.strictObject({
  q: z.string().trim().pipe(text(1, 254)).optional().meta({
    description: 'part of the e-mail address or the display name, ignoring case',
    minLength: 1,
    maxLength: 254,
  }),
  limit: LimitSchema,
  cursor: CursorSchema,
});
export type AdminUserListQuery = z.infer<typeof AdminUserListQuerySchema>;

export const AdminUserListSchema = z
  .object({ users: z.array(AdminUserSchema), limit: z.int(), nextCursor: NextCursorSchema })
  .meta({ id: 'AdminUserList' });
export type AdminUserList = z.infer<typeof AdminUserListSchema>;

export const AdminUserPatchSchema = z
  .strictObject({ disabled: z.boolean().optional(), role: z.enum(ROLES).optional() })
  .meta({ id: 'AdminUserPatch', description: 'omitted fields stay unchanged' });
export type AdminUserPatch = z.infer<typeof AdminUserPatchSchema>;

export function toAdminUserBody(user: User): AdminUserBody {
  return { ...toUserBody(user), disabledAt: user.disabledAt?.toISOString() ?? null };
}
