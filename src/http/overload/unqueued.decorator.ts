import type { CustomDecorator } from '@nestjs/common';
import { RouteConfig } from '@nestjs/platform-fastify';

/**
 * The route has its own bounded queue, such as that of password hashes, and bypasses the one of `overload.ts`.
 *
 * @param config more route config for Fastify
 */
export const Unqueued = (config: object = {}): CustomDecorator => RouteConfig({ ...config, unqueued: true });
