import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { MailDelivery } from './mail-delivery.js';
import { Mail } from './mail.entity.js';
import { MailService } from './mail.service.js';
import { MailTransport } from './mail-transport.js';
import { MailsPurge } from './mails.purge.js';
import { MailsRepository } from './mails.repository.js';

@Module({
  imports: [TypeOrmModule.forFeature([Mail])],
  providers: [MailService, MailDelivery, MailTransport, MailsRepository, MailsPurge],
  exports: [MailService],
})
export class MailModule {}
