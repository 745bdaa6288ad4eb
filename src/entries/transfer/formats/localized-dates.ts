/** Languages of Daylio. https://daylio.net/ */
const LANGUAGES = (
  'en de fr es it pt nl sv da nb fi pl cs sk hu ro bg hr ' +
  'sr sl el ru uk tr ar he fa hi th vi id ms ja ko zh-CN zh-TW'
).split(' ');

let months: ReadonlyMap<string, number> | undefined;
let halves: ReadonlyMap<string, boolean> | undefined;

/** @param date with a month's name, such as `March 12` or `12. März` @returns 1 to 12 */
export function monthOf(date: string): number | undefined {
  months ??= monthNames();
  const [, numbered] = /(\d{1,2})[月월]/.exec(date) ?? [];
  if (numbered !== undefined) return Number(numbered);
  for (const word of wordsOf(date)) {
    const month = months.get(word);
    if (month !== undefined) return month;
  }
  return undefined;
}

/** @param half as `AM` or `PM` are called in some language @returns undefined if it is neither */
export function isAfternoon(half: string): boolean | undefined {
  halves ??= halfNames();
  return halves.get(plain(half));
}

function monthNames(): Map<string, number> {
  const names = new Map<string, number>();
  for (const language of LANGUAGES) {
    for (const length of ['long', 'short'] as const) {
      // With a day, the name has the case that a date has: `1 марта`.
      const formats = [{ month: length }, { month: length, day: 'numeric' }] as const;
      for (const format of formats) {
        const formatter = new Intl.DateTimeFormat(language, {
          ...format,
          timeZone: 'UTC',
          calendar: 'gregory',
        });
        for (let month = 0; month < 12; month += 1) {
          const parts = formatter.formatToParts(Date.UTC(2026, month, 1));
          for (const word of wordsOf(parts.find(({ type }) => type === 'month')?.value ?? ''))
            if (!names.has(word)) names.set(word, month + 1);
        }
      }
    }
  }
  return names;
}

function halfNames(): Map<string, boolean> {
  const names = new Map([
    // As phones write them; Node's tables have only AM and PM for Korean.
    ['오전', false],
    ['오후', true],
    ['am', false],
    ['pm', true],
  ]);
  for (const language of LANGUAGES) {
    const formatter = new Intl.DateTimeFormat(language, {
      hour: 'numeric',
      minute: 'numeric',
      hour12: true,
      timeZone: 'UTC',
    });
    for (const hour of [9, 21]) {
      const parts = formatter.formatToParts(Date.UTC(2026, 0, 1, hour));
      const name = plain(parts.find(({ type }) => type === 'dayPeriod')?.value ?? '');
      if (name !== '' && !names.has(name)) names.set(name, hour > 12);
    }
  }
  return names;
}

function wordsOf(text: string): string[] {
  return (
    text
      .toLowerCase()
      .normalize('NFC')
      .match(/[\p{L}\p{M}]+/gu) ?? []
  );
}

function plain(half: string): string {
  return half
    .toLowerCase()
    .normalize('NFC')
    .replace(/[\s.\u200e\u200f]/g, '');
}
