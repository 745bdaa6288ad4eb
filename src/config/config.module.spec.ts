import { ConfigService } from '@nestjs/config';
import { Test } from '@nestjs/testing';
import { expect, it } from '@jest/globals';
import { MINIMAL } from '../../test/harness/config.js';
import { ConfigModule } from './config.module.js';
import { Config, loadConfig } from './config.js';

it('provides one configuration, as Config and as ConfigService, and leaves process.env alone', async () => {
  const before = { ...process.env };
  const config = loadConfig({ ...MINIMAL, PORT: '9090' });
  const imports = [ConfigModule.forRoot(config)];
  const module = await Test.createTestingModule({ imports }).compile();
  expect(module.get(Config)).toBe(config);
  const service = module.get<ConfigService<Config, true>>(ConfigService);
  expect(service.get('PORT', { infer: true })).toBe(9090);
  expect(service.get('PATH' as keyof Config)).toBeUndefined();
  expect(process.env).toEqual(before);
});
