import type * as z from 'zod';
import { ConfigError, type ConfigFault } from './config-error.js';
import { describeVariable } from './config.schema.js';
import { findConflicts } from './conflicts.js';
import { readText, type Environment } from './environment.js';

/**
 * Each variable is parsed by itself, so that no fault hides another.
 *
 * @throws {ConfigError} with every fault
 */
export function validate<Schema extends z.ZodObject>({ shape }: Schema, environment: Environment) {
  const faults: ConfigFault[] = [];
  const values: Record<string, unknown> = {};
  const given = readGiven(Object.keys(shape), environment, faults);
  for (const [name, type] of Object.entries<z.ZodType>(shape)) {
    const text = given[name];
    if (text === '') continue;
    const { success, data, error } = type.safeParse(text);
    if (success) values[name] = data;
    else faults.push({ name, reason: text ? String(error.issues[0]?.message) : 'is missing' });
  }
  faults.push(...findConflicts(values, given));
  if (faults.length > 0) throw new ConfigError(faults);
  return values as z.output<Schema>;
}

/** The variables that are not empty. A secret whose file cannot be read is '': not missing as well. */
function readGiven(names: readonly string[], environment: Environment, faults: ConfigFault[]): Environment {
  const given: Record<string, string> = {};
  for (const name of names) {
    const [text, file] = [environment[name], environment[`${name}_FILE`]];
    if (text) given[name] = text;
    if (!file || !describeVariable(name)?.secret) continue;
    try {
      if (text) throw new Error(`is set, and so is ${name}: set one of them`);
      given[name] = readText(file).replace(/\r?\n$/, '');
      if (given[name] === '') throw new Error('names an empty file');
    } catch (error) {
      given[name] ??= '';
      faults.push({ name: `${name}_FILE`, reason: (error as Error).message });
    }
  }
  return given;
}
