/** A reason shorter than this explains nothing. */
const SHORTEST_REASON = 10;

/** A comment `// lint-ok: <rule>: <reason>`, for the findings of one rule in that file. */
export interface Waiver {
  readonly line: number;
  readonly text: string;
  readonly rule: string;
  readonly reason: string;
  /** Why it waives nothing. */
  readonly fault: string | undefined;
}

/** @param rules by name */
export function waiversIn(source: string, rules: ReadonlySet<string>): Waiver[] {
  return source.split('\n').flatMap((code, index) => {
    const text = /\/\/\s*lint-ok\b.*$/.exec(code)?.[0].trim();
    if (text === undefined) return [];
    const [, rule = '', reason = ''] = /lint-ok:\s*([\w-]+)\s*:\s*(.*)$/.exec(text) ?? [];
    let fault: string | undefined;
    if (rule === '') fault = 'it is not of the form `// lint-ok: <rule>: <reason>`';
    else if (!rules.has(rule)) fault = `there is no rule ${rule}`;
    else if (reason.length < SHORTEST_REASON)
      fault = `its reason is shorter than ${SHORTEST_REASON} characters`;
    return { line: index + 1, text, rule, reason, fault };
  });
}
