/** Of the names that are reported: how many, and characters of each. */
const MOST_NAMES = 100;
const MOST_CHARACTERS = 50;

/** Moods of another app's names, on our scale of 1 to 10. Nothing is guessed: a name without a value is reported. */
export class MoodNames {
  private readonly unknown = new Map<string, number>();

  /** @param values by name in lower case; that of `*` is for every other name */
  constructor(private readonly values: ReadonlyMap<string, number> = new Map()) {}

  /**
   * @param name as the file has it; empty if the entry has no mood
   * @param ranked value that the file itself gives the name
   * @returns undefined if the name has no value, which is counted
   */
  valueOf(name: string, ranked?: number): number | undefined {
    const value = this.values.get(nameOf(name)) ?? ranked ?? this.values.get('*');
    if (value !== undefined) return value;
    const short = shortened(name);
    const known = this.unknown.get(short);
    if (known !== undefined || this.unknown.size < MOST_NAMES) this.unknown.set(short, (known ?? 0) + 1);
    return undefined;
  }

  /** Names without a value, and the number of their entries. */
  get unknownNames(): Record<string, number> | undefined {
    return this.unknown.size > 0 ? Object.fromEntries(this.unknown) : undefined;
  }
}

/** The fault of an entry whose mood has no value. */
export function moodless(name: string): string {
  return name === ''
    ? 'has no mood: set one for all such entries with ?moods=*:5'
    : `mood ${JSON.stringify(shortened(name))} has no value: set it with ?moods=${shortened(name)}:5`;
}

/** `rad:10,good:8`; a name may have colons. @returns undefined if it is not of this form */
export function parseMoods(given: string): ReadonlyMap<string, number> | undefined {
  const values = new Map<string, number>();
  for (const pair of given.split(',')) {
    const [, name, value] = /^(.+):\s*(\d|10)\s*$/s.exec(pair) ?? [];
    if (name === undefined || nameOf(name) === '' || Number(value) < 1) return undefined;
    values.set(nameOf(name), Number(value));
  }
  return values;
}

function shortened(name: string): string {
  return name.slice(0, MOST_CHARACTERS);
}

function nameOf(name: string): string {
  return name.normalize('NFC').trim().toLowerCase();
}
