import * as z from 'zod';
import { CursorSchema, LimitSchema, NextCursorSchema } from '../http/paging/page.schemas.js';
import {
  SECURITY_EVENT_TYPES,
  type SecurityEvent,
  type SecurityEventDetails,
} from './security-event.entity.js';

const DetailsSchema: z.ZodType<SecurityEventDetails> = z.record(
  z.string(),
  z.union([z.string(), z.number()]),
);

const SECURITY_EVENT_EXAMPLE = {
  id: '01a5c0de-7b8c-7d1e-8f2a-5b6c7d8e9f0a',
  type: 'password-changed',
  createdAt: '2026-03-02T07:20:00.000Z',
  network: '192.0.2.1',
  userAgent: 'Mozilla/5.0',
  actorId: null,
  details: {},
};

const SecurityEventSchema = z
  .object({
    id: z.uuid(),
    type: z.enum(SECURITY_EVENT_TYPES),
    createdAt: z.iso.datetime({ precision: 3 }),
    network: z
      .string()
      .nullable()
      .meta({ description: 'IPv4 address or IPv6 /64 network of the client', example: '192.0.2.1' }),
    userAgent: z.string().nullable(),
    actorId: z.uuid().nullable().meta({ description: 'the administrator who did it' }),
    details: DetailsSchema.meta({ description: 'depend on the type, such as sessionId' }),
  })
  .meta({
    id: 'SecurityEvent',
    description: 'something that matters to the security of an account',
    example: SECURITY_EVENT_EXAMPLE,
  });
export type SecurityEventBody = z.infer<typeof SecurityEventSchema>;

export const SecurityEventListQuerySchema = z.strictObject({ limit: LimitSchema, cursor: CursorSchema });
export type SecurityEventListQuery = z.infer<typeof SecurityEventListQuerySchema>;

export const SecurityEventListSchema = z
  .object({ securityEvents: z.array(SecurityEventSchema), limit: z.int(), nextCursor: NextCursorSchema })
  .meta({
    id: 'SecurityEventList',
    description: 'a page of security events',
    example: { securityEvents: [SECURITY_EVENT_EXAMPLE], limit: 20, nextCursor: null },
  });
export type SecurityEventList = z.infer<typeof SecurityEventListSchema>;

export function toSecurityEventBody(event: SecurityEvent): SecurityEventBody {
  return {
    id: event.id,
    type: event.type,
    createdAt: event.createdAt.toISOString(),
    network: event.network,
    userAgent: event.userAgent,
    actorId: event.actorId,
    details: event.details,
  };
}
