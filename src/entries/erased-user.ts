import { userNoLongerExists } from '../users/users.service.js';

const FOREIGN_KEY_VIOLATION = '23503';

/** Whether a write of entries failed because its user was erased while it was under way. */
export function isUserErased(error: unknown): boolean {
  return (error as { code?: unknown }).code === FOREIGN_KEY_VIOLATION;
}

/** @throws {UnauthorizedException} where the user was erased; otherwise the error itself */
export function refuseErasedUser(error: unknown): never {
  throw isUserErased(error) ? userNoLongerExists() : error;
}
