export function median(numbers: readonly number[]): number {
  return percentile(numbers, 50);
}

export function percentile(numbers: readonly number[], percent: number): number {
  return numbers.toSorted((a, b) => a - b)[Math.floor((numbers.length * percent) / 100)] ?? NaN;
}

/** The median, with the least and the most. */
export function medianAndRange(numbers: readonly number[], decimals = 0): string {
  const [mid, least, most] = [median(numbers), Math.min(...numbers), Math.max(...numbers)];
  return `${mid.toFixed(decimals)} (${least.toFixed(decimals)}–${most.toFixed(decimals)})`;
}

/** Prints a Markdown table; all columns but the first hold numbers. */
export function printTable(head: readonly string[], rows: readonly (readonly string[])[]): void {
  const rule = head.map((_, column) => (column === 0 ? '---' : '---:'));
  const lines = [head, rule, ...rows].map((cells) => `| ${cells.join(' | ')} |`);
  console.log(`\n${lines.join('\n')}\n`);
}
