import 'reflect-metadata';
import { Controller, Get, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { InjectRepository, TypeOrmModule } from '@nestjs/typeorm';
import pg from 'pg';
import { Column, Entity, PrimaryColumn, Repository } from 'typeorm';

/** The least that Nest, Fastify and TypeORM can be: one entity, one route. What our own start is measured against. */
@Entity('migrations')
class Migration {
  @PrimaryColumn('integer')
  id!: number;

  @Column('varchar')
  name!: string;
}

@Controller('health')
class HealthController {
  constructor(@InjectRepository(Migration) private readonly migrations: Repository<Migration>) {}

  @Get()
  async check(): Promise<object> {
    return { status: 'ok', answers: (await this.migrations.query('SELECT 1')) as unknown };
  }
}

@Module({
  imports: [
    TypeOrmModule.forRoot({
      type: 'postgres',
      driver: pg,
      url: process.env['DATABASE_URL'] ?? '',
      entities: [Migration],
      synchronize: false,
    }),
    TypeOrmModule.forFeature([Migration]),
  ],
  controllers: [HealthController],
})
class AppModule {}

const app = await NestFactory.create<NestFastifyApplication>(AppModule, new FastifyAdapter(), {
  logger: ['error'],
});
app.enableShutdownHooks();
await app.listen(Number(process.env['PORT']), process.env['HOST'] ?? '127.0.0.1');
