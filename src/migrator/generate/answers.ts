/** A person's decisions about ambiguous edits: the flags of `migration:generate`. Names have no quotes. */
export interface Answers {
  /** `users.timezone` to `zone`, `moods` to `journal_moods`, or `entries_kind_enum.old` to `new`. */
  readonly rename: ReadonlyMap<string, string>;
  /** Columns and tables to drop with their values. */
  readonly drop: ReadonlySet<string>;
  /** Columns that may lose values that do not fit the new type. */
  readonly lossy: ReadonlySet<string>;
  /** SQL of the value for existing rows, by column. */
  readonly fill: ReadonlyMap<string, string>;
  /** Tables to keep although no entity describes them. */
  readonly keep: ReadonlySet<string>;
  /** Columns to rename, or whose table to rewrite, in one statement. */
  readonly inPlace: ReadonlySet<string>;
}

/** An edit with several possible meanings. */
export interface Question {
  /** What was found. */
  readonly text: string;
  /** One flag for each possible answer. */
  readonly choices: readonly { readonly flag: string; readonly effect: string }[];
}

/** @throws {Error} if the value of a flag has the wrong form */
export function parseAnswers(values: {
  readonly rename?: readonly string[];
  readonly drop?: readonly string[];
  readonly lossy?: readonly string[];
  readonly fill?: readonly string[];
  readonly keep?: readonly string[];
  readonly 'in-place'?: readonly string[];
}): Answers {
  return {
    rename: pairs('--rename', values.rename),
    fill: pairs('--fill', values.fill),
    drop: new Set(values.drop?.map(unquoted)),
    lossy: new Set(values.lossy?.map(unquoted)),
    keep: new Set(values.keep?.map(unquoted)),
    inPlace: new Set(values['in-place']?.map(unquoted)),
  };
}

function pairs(flag: string, values: readonly string[] = []): ReadonlyMap<string, string> {
  return new Map(
    values.map((value) => {
      const [, from, to] = /^([^:]+):(.+)$/s.exec(value) ?? [];
      if (from === undefined || to === undefined) {
        throw new Error(`${flag} ${value} needs the form ${flag} <what>:<to what>`);
      }
      return [unquoted(from), to];
    }),
  );
}

/** A name of a snapshot, as a person types it. */
export function unquoted(name: string): string {
  return name.replaceAll('"', '');
}
