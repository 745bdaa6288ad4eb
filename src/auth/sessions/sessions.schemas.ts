import { z } from 'zod';
import type { Session } from './session.entity.js';

export const SessionIdSchema = z.uuid('must be a UUID');

export const SessionSchema = z
  .object({
    id: z.uuid(),
    createdAt: z.iso.datetime(),
    lastUsedAt: z.iso.datetime().meta({ description: 'time of the last refresh' }),
    ip: z.string().nullable().meta({ description: 'IP address at sign-in' }),
    userAgent: z.string().nullable(),
    current: z.boolean().meta({ description: 'whether it is the session of this request' }),
  })
  .meta({ id: 'Session' });
export type SessionBody = z.infer<typeof SessionSchema>;

export const SessionListSchema = z.object({ sessions: z.array(SessionSchema) }).meta({ id: 'SessionList' });
export type SessionList = z.infer<typeof SessionListSchema>;

export function toSessionBody(session: Session, currentId: string): SessionBody {
  return {
    id: session.id,
    createdAt: session.createdAt.toISOString(),
    lastUsedAt: session.lastUsedAt.toISOString(),
    ip: session.ip,
    userAgent: session.userAgent,
    current: session.id === currentId,
  };
}
