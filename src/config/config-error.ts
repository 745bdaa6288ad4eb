import { describeVariable } from './config.schema.js';

/** EX_CONFIG of sysexits.h. */
export const EXIT_CONFIG = 78;

export interface ConfigFault {
  /** A variable, its `NAME_FILE`, or a file. */
  readonly name: string;
  readonly reason: string;
}

/** Every fault of a configuration. The message is for a person, who needs no stack. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';

  constructor(readonly faults: readonly ConfigFault[]) {
    const count = faults.length === 1 ? 'a fault' : `${faults.length} faults`;
    super(`The configuration has ${count}:\n${faults.map(describeFault).join('\n')}`);
  }
}

function describeFault({ name, reason }: ConfigFault): string {
  const variable = describeVariable(name.replace(/_FILE$/, ''));
  if (!variable) return `  ${name} ${reason}`;
  const example = name.endsWith('_FILE') ? `/run/secrets/${variable.name.toLowerCase()}` : variable.example;
  return `  ${name} ${reason}\n      ${variable.description} Example: ${name}=${example}`;
}
