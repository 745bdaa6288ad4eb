export interface Finding {
  readonly file: string;
  readonly line: number;
  readonly rule: string;
  readonly statement: string;
  /** What of it hurts. */
  readonly detail: string;
  readonly why: string;
  readonly instead: string;
  /** Where that is said. */
  readonly source: string;
  /** The reason, where it is waived. */
  readonly waiver?: string;
}

export interface Report {
  readonly migrations: number;
  readonly statements: number;
  readonly findings: readonly Finding[];
  readonly waived: readonly Finding[];
}

/** @param folder of the migrations, as a person would type it */
export function describeReport({ migrations, statements, findings, waived }: Report, folder: string): string {
  const seen = `${count(migrations, 'migration')}, ${count(statements, 'statement')}`;
  return [
    ...findings.map(
      ({ file, line, rule, statement, detail, why, instead }) => `\
${folder}/${file}:${line}  ${rule}  ${statement}
    ${detail}
    ${why}
    Instead: ${instead}
`,
    ),
    `migration lint: ${seen}, ${count(findings.length, 'finding')}, ${waived.length} waived`,
  ].join('\n');
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}
