import { parseArgs } from 'node:util';

type Options = Readonly<Record<string, string | number>>;

/** The command line's options, `--name value`. A default that is a number asks for a number. */
export function options<Defaults extends Options>(
  defaults: Defaults,
): { readonly [Name in keyof Defaults]: Defaults[Name] extends number ? number : string } {
  const { values } = parseArgs({
    options: Object.fromEntries(Object.keys(defaults).map((name) => [name, { type: 'string' as const }])),
  });
  const given = Object.entries(values).map(([name, value]) => {
    if (typeof defaults[name] !== 'number') return [name, value];
    if (!(Number(value) > 0)) throw new Error(`--${name} must be a number above 0`);
    return [name, Number(value)];
  });
  return { ...defaults, ...(Object.fromEntries(given) as Defaults) } as never;
}
