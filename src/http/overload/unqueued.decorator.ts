import type { CustomDecorator } from '@nestjs/common';
import { RouteConfig } from '@nestjs/platform-fastify';

/**
 * The route has a bounded queue of its own, such as that of password hashes, and does not wait in the common one of
 * `overload.ts`.
 *
 * @param config what else Fastify is to keep with the route
 */
export const Unqueued = (config: object = {}): CustomDecorator => RouteConfig({ ...config, unqueued: true });
