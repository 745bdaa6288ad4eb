import { Injectable, type OnModuleInit } from '@nestjs/common';
import { PersonalDataService, type PersonalData } from '../../users/personal-data.service.js';
import { SecondFactorRepository } from './second-factor.repository.js';

/** When the second factor was enabled; never the secret or a hash. Deleting the user deletes the rows. */
@Injectable()
export class SecondFactorPersonalData implements PersonalData, OnModuleInit {
  readonly section = 'secondFactor';

  constructor(
    private readonly factors: SecondFactorRepository,
    private readonly personalData: PersonalDataService,
  ) {}

  onModuleInit(): void {
    this.personalData.register(this);
  }

  async *export(userId: string): AsyncGenerator<string> {
    const factor = await this.factors.find(userId);
    if (!factor) return;
    const { createdAt, enabledAt, recoveryCodesRemaining } = factor;
    yield JSON.stringify({ createdAt, enabledAt, recoveryCodesRemaining });
  }
}
