import 'reflect-metadata';
import { randomUUID } from 'node:crypto';
import {
  Body,
  Controller,
  createParamDecorator,
  Get,
  Header,
  Inject,
  Injectable,
  Module,
  NotFoundException,
  Param,
  ParseUUIDPipe,
  Post,
  Query,
  UnprocessableEntityException,
  UseGuards,
  type ExecutionContext,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { AuthGuard, PassportModule, PassportStrategy } from '@nestjs/passport';
import { HealthCheck, HealthCheckService, TerminusModule, TypeOrmHealthIndicator } from '@nestjs/terminus';
import { InjectRepository, TypeOrmModule } from '@nestjs/typeorm';
import { ExtractJwt, Strategy } from 'passport-jwt';
import pg from 'pg';
import { Column, Entity, IsNull, PrimaryColumn, Repository } from 'typeorm';
import * as z from 'zod';

/** The entries API as the Nest docs would have it: Express, Passport, TypeORM's repository, `findAndCount`. */
@Entity('entries')
class Entry {
  @PrimaryColumn('uuid')
  id!: string;

  @Column('uuid', { name: 'user_id', select: false })
  userId!: string;

  @Column('text')
  text!: string;

  @Column('text', { name: 'search_text', select: false })
  searchText!: string;

  @Column('smallint')
  mood!: number;

  @Column('varchar')
  category!: string;

  @Column('text', { array: true })
  tags!: string[];

  @Column('timestamptz', { name: 'occurred_at' })
  occurredAt!: Date;

  @Column('timestamptz', { name: 'created_at' })
  createdAt!: Date;

  @Column('timestamptz', { name: 'updated_at' })
  updatedAt!: Date;

  @Column('timestamptz', { name: 'deleted_at', select: false })
  deletedAt!: Date | null;

  @Column('int')
  version!: number;
}

const EntryCreate = z.strictObject({
  text: z.string().min(1).max(10_000),
  mood: z.int().min(1).max(10),
  category: z.string().trim().toLowerCase().min(1).max(50).default('general'),
  tags: z.array(z.string().trim().toLowerCase().min(1).max(50)).max(20).default([]),
  occurredAt: z.coerce.date().exactOptional(),
});

@Injectable()
class JwtStrategy extends PassportStrategy(Strategy) {
  constructor() {
    super({
      jwtFromRequest: ExtractJwt.fromAuthHeaderAsBearerToken(),
      secretOrKey: process.env['JWT_SECRET'] ?? '',
      algorithms: ['HS256'],
      issuer: 'entries',
      audience: 'entries',
    });
  }

  validate({ sub }: { sub: string }): { userId: string } {
    return { userId: sub };
  }
}

const UserId = createParamDecorator((_data: unknown, context: ExecutionContext) => {
  return context.switchToHttp().getRequest<{ user: { userId: string } }>().user.userId;
});

@Injectable()
class EntriesService {
  constructor(@InjectRepository(Entry) private readonly entries: Repository<Entry>) {}

  async list(userId: string, limit: number): Promise<object> {
    const [entries, total] = await this.entries.findAndCount({
      where: { userId, deletedAt: IsNull() },
      order: { occurredAt: 'DESC', id: 'DESC' },
      take: limit,
    });
    const last = entries.at(-1);
    const nextCursor =
      last && total > limit
        ? Buffer.from(JSON.stringify([last.occurredAt, last.id])).toString('base64url')
        : null;
    return { entries, total, limit, nextCursor };
  }

  async read(userId: string, id: string): Promise<Entry> {
    const entry = await this.entries.findOneBy({ id, userId, deletedAt: IsNull() });
    if (!entry) throw new NotFoundException();
    return entry;
  }

  async create(userId: string, fields: z.infer<typeof EntryCreate>): Promise<object> {
    const now = new Date();
    const { id } = await this.entries.save(
      this.entries.create({
        occurredAt: now,
        ...fields,
        id: randomUUID(),
        userId,
        searchText: fields.text.toLowerCase(),
        createdAt: now,
        updatedAt: now,
        version: 1,
      }),
    );
    return { id, occurredAt: now, ...fields, createdAt: now, updatedAt: now, version: 1 };
  }
}

@Controller('entries')
@UseGuards(AuthGuard('jwt'))
class EntriesController {
  constructor(@Inject(EntriesService) private readonly entries: EntriesService) {}

  @Get()
  list(@UserId() userId: string, @Query('limit') limit = '20'): Promise<object> {
    return this.entries.list(userId, Number(limit));
  }

  @Get(':id')
  read(@UserId() userId: string, @Param('id', ParseUUIDPipe) id: string): Promise<Entry> {
    return this.entries.read(userId, id);
  }

  @Post()
  @Header('etag', '"1"')
  create(@UserId() userId: string, @Body() body: unknown): Promise<object> {
    const parsed = EntryCreate.safeParse(body);
    if (!parsed.success) throw new UnprocessableEntityException(parsed.error.issues);
    return this.entries.create(userId, parsed.data);
  }
}

@Controller('health')
class HealthController {
  constructor(
    @Inject(HealthCheckService) private readonly health: HealthCheckService,
    @Inject(TypeOrmHealthIndicator) private readonly database: TypeOrmHealthIndicator,
  ) {}

  @Get()
  @HealthCheck({ swaggerDocumentation: false })
  check() {
    return this.health.check([() => this.database.pingCheck('database')]);
  }
}

@Module({
  imports: [
    TypeOrmModule.forRoot({
      type: 'postgres',
      driver: pg,
      url: process.env['DATABASE_URL'] ?? '',
      poolSize: Number(process.env['DB_POOL_SIZE']),
      entities: [Entry],
      synchronize: false,
    }),
    TypeOrmModule.forFeature([Entry]),
    PassportModule,
    TerminusModule.forRoot({ logger: false }),
  ],
  controllers: [EntriesController, HealthController],
  providers: [EntriesService, JwtStrategy],
})
class AppModule {}

const app = await NestFactory.create(AppModule, { logger: ['error'] });
app.enableShutdownHooks();
await app.listen(Number(process.env['PORT']), process.env['HOST'] ?? '127.0.0.1');
