import * as z from 'zod';
import type { Session } from './session.entity.js';

export const SessionIdSchema = z.uuid('must be a UUID');

const SESSION_EXAMPLE = {
  id: '01a5c0de-6a7b-7c1d-9e2f-4a5b6c7d8e9f',
  createdAt: '2026-03-01T08:30:00.000Z',
  lastUsedAt: '2026-03-02T07:15:00.000Z',
  ip: '192.0.2.1',
  userAgent: 'Mozilla/5.0',
  current: true,
};

const SessionSchema = z
  .object({
    id: z.uuid(),
    createdAt: z.iso.datetime(),
    lastUsedAt: z.iso.datetime().meta({ description: 'time of the last refresh' }),
    ip: z.string().nullable().meta({ description: 'IP address at sign-in' }),
    userAgent: z.string().nullable(),
    current: z.boolean().meta({ description: 'whether it is the session of this request' }),
  })
  .meta({ id: 'Session', description: 'a sign-in on one device', example: SESSION_EXAMPLE });
export type SessionBody = z.infer<typeof SessionSchema>;

export const SessionListSchema = z.object({ sessions: z.array(SessionSchema) }).meta({
  id: 'SessionList',
  description: 'the last used first',
  example: { sessions: [SESSION_EXAMPLE] },
});
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
