import { Module } from '@nestjs/common';
import { APP_FILTER } from '@nestjs/core';
import { AdminModule } from './admin/admin.module.js';
import { AuthModule } from './auth/auth.module.js';
import { CacheModule } from './cache/cache.module.js';
import { asDatabaseUnavailable, asQueryTimeout } from './database/connection/database-unavailable.js';
import { DatabaseModule } from './database/database.module.js';
import { EntriesModule } from './entries/entries.module.js';
import { HealthModule } from './health/health.module.js';
import { HttpModule } from './http/http.module.js';
import { AllowedMethods } from './http/problem/allowed-methods.js';
import { ProblemFilter } from './http/problem/problem.filter.js';
import { MailModule } from './mail/mail.module.js';
import { SecurityEventsModule } from './security-events/security-events.module.js';
import { UsersModule } from './users/users.module.js';

@Module({
  imports: [
    // createApp adds what its caller decides: configuration and log.
    DatabaseModule,
    CacheModule,
    HttpModule,
    HealthModule,
    MailModule,
    UsersModule,
    SecurityEventsModule,
    AuthModule,
    AdminModule,
    EntriesModule,
  ],
  providers: [
    {
      provide: APP_FILTER,
      inject: [AllowedMethods],
      useFactory: (allowedMethods: AllowedMethods) =>
        new ProblemFilter(allowedMethods, [asQueryTimeout, asDatabaseUnavailable]),
    },
  ],
})
export class AppModule {}
