/** What only a person knows about an edit: the flags of `migration:generate`. Names are without quotes. */
export interface Answers {
  /** `users.timezone` to `zone`, `moods` to `journal_moods`, or `entries_kind_enum.old` to `new`. */
  readonly rename: ReadonlyMap<string, string>;
  /** Columns and tables whose values may go. */
  readonly drop: ReadonlySet<string>;
  /** Columns that may lose what their new type cannot hold. */
  readonly lossy: ReadonlySet<string>;
  /** SQL for the rows that a new column finds. */
  readonly fill: ReadonlyMap<string, string>;
  /** Tables that no entity describes, and that stay. */
  readonly keep: ReadonlySet<string>;
  /** Columns that are renamed, or whose table is rewritten, by one statement. */
  readonly inPlace: ReadonlySet<string>;
}

export const NO_ANSWERS: Answers = {
  rename: new Map(),
  drop: new Set(),
  lossy: new Set(),
  fill: new Map(),
  keep: new Set(),
  inPlace: new Set(),
};

/** An edit that can be meant in several ways. */
export interface Question {
  /** What was found. */
  readonly text: string;
  /** A flag each. */
  readonly choices: readonly { readonly flag: string; readonly effect: string }[];
}

/** @throws {Error} for a flag that is no answer */
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

/** A name of a snapshot as a person types it. */
export function unquoted(name: string): string {
  return name.replaceAll('"', '');
}
