import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { OpenRequestsModule } from '../http/connections/open-requests.module.js';
import { PersonalDataService } from './personal-data.service.js';
import { User } from './user.entity.js';
import { UsersController } from './users.controller.js';
import { UsersService } from './users.service.js';

@Module({
  imports: [TypeOrmModule.forFeature([User]), OpenRequestsModule],
  controllers: [UsersController],
  providers: [UsersService, PersonalDataService],
  exports: [UsersService, PersonalDataService],
})
export class UsersModule {}
