import type { EntryStats, EntryStatsQuery } from '../entries.schemas.js';

type Series = EntryStats['series'];

const DAY_MS = 86_400_000;
const WEEKDAYS = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'];
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const MOODS = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10];

/** In px. Columns of the table under the charts are of the months of a year, and their names. */
const WIDTH = 800;
const CHARTS_HEIGHT = 392;
const TABLE_LEFT = 66;
const COLUMN = 56;
const ROW = 18;

/** From red to blue, which also people who see no red or green tell apart. After ColorBrewer's RdYlBu. */
const COLOURS = [
  ...['#a50026', '#d73027', '#f46d43', '#fdae61', '#fee090', '#c6e3ee', '#abd9e9', '#74add1', '#4575b4'],
  '#313695',
];

/** ECharts passes colours on as they are, so the colour scheme of the reader decides. */
const STYLE = `
  svg { --ink: #333; --paper: #fff; --grid: #e2e2e2; --line: #313695; font: 12px sans-serif;
    ${COLOURS.map((colour, index) => `--mood-${index + 1}: ${colour};`).join(' ')} }
  @media (prefers-color-scheme: dark) { svg { --ink: #ddd; --paper: #1b1b1b; --grid: #3a3a3a; --line: #8fb8e8; } }`;

/** The first day that the calendar shows: it ends with the last bucket, and has a year at most. */
export function firstDayOfCalendar(lastBucket: string, bucket: EntryStatsQuery['bucket']): string {
  const [year = 0, month = 1] = lastBucket.split('-').map(Number);
  const first = bucket === 'month' ? Date.UTC(year, month - 12) : Date.parse(lastBucket) - 364 * DAY_MS;
  return new Date(first).toISOString().slice(0, 10);
}

/**
 * An SVG of the mood over time, a calendar of a year, and a table of its months as text. At most 30 kB, in light and dark
 * colours, and described for screen readers.
 *
 * @param days one item per day
 */
export async function moodChart(stats: EntryStats, days: Series): Promise<string> {
  const [first, last] = [stats.series[0]?.start, days.at(-1)?.start];
  const title = first === undefined ? 'Mood: no entries' : `Mood from ${first} to ${last}`;
  const description = `${stats.count} entries, average mood ${stats.averageMood ?? 'none'} of 10.`;
  const table = tableOf(days);
  const height = CHARTS_HEIGHT + 4 * ROW;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}" role="group" aria-labelledby="title description" xml:lang="en">
<title id="title">${title}</title>
<desc id="description">${description}</desc>
<style>${STYLE}</style>
<rect width="100%" height="100%" fill="var(--paper)"/>
<text x="20" y="20" fill="var(--ink)" font-weight="bold">${title}: ${description}</text>
<g role="img" aria-label="A line of the mood over time, and a calendar with a colour for the mood of each day">
${await charts(stats.series, days)}</g>
<g role="table" aria-label="Entries and average mood by month" fill="var(--ink)">
${table}</g>
</svg>
`;
}

/** Loads ECharts when the first chart is asked for. @returns an SVG element */
async function charts(series: Series, days: Series): Promise<string> {
  const { init } = await import('./echarts.js');
  const axis = {
    axisLine: { show: false },
    axisTick: { show: false },
    splitLine: { show: false },
    axisLabel: { color: 'var(--ink)' },
  };
  const firstWeek = weekOf(days[0]?.start ?? '1970-01-01');
  const weeks = Array.from(
    { length: weekOf(days.at(-1)?.start ?? '1970-01-01') - firstWeek + 1 },
    (_, index) => nameOfMonth(firstWeek + index),
  );
  const cells = (mood: number, colour: string) => ({
    type: 'scatter' as const,
    xAxisIndex: 1,
    yAxisIndex: 1,
    symbol: 'rect',
    symbolSize: [11, 13],
    // All cells of a colour in one path: 365 paths would take 35 kB.
    large: true,
    largeThreshold: 1,
    silent: true,
    itemStyle: { color: colour, opacity: 1 },
    data: days
      .filter(({ averageMood }) => Math.round(averageMood ?? 0) === mood)
      .map(({ start }) => [weekOf(start) - firstWeek, weekdayOf(start)]),
  });
  const chart = init(null, null, { renderer: 'svg', ssr: true, width: WIDTH, height: CHARTS_HEIGHT });
  try {
    chart.setOption({
      animation: false,
      useUTC: true,
      grid: [
        { left: 50, right: 20, top: 40, height: 170 },
        { left: 50, right: 20, top: 245, height: 120 },
      ],
      xAxis: [
        { ...axis, type: 'time' },
        {
          ...axis,
          gridIndex: 1,
          type: 'category',
          data: weeks,
          axisLabel: { ...axis.axisLabel, interval: 0 },
        },
      ],
      yAxis: [
        { ...axis, min: 1, max: 10, interval: 3, splitLine: { lineStyle: { color: 'var(--grid)' } } },
        { ...axis, gridIndex: 1, type: 'category', inverse: true, data: WEEKDAYS },
      ],
      series: [
        {
          type: 'line',
          data: series.map(({ start, averageMood }) => [start, averageMood]),
          connectNulls: true,
          // A point on its own has no line.
          showSymbol: series.length === 1,
          // At most one point per pixel.
          sampling: 'lttb',
          silent: true,
          itemStyle: { color: 'var(--line)' },
          lineStyle: { color: 'var(--line)' },
        },
        cells(0, 'var(--grid)'),
        ...MOODS.map((mood) => cells(mood, `var(--mood-${mood})`)),
      ],
    });
    return chart.renderToSVGString();
  } finally {
    chart.dispose();
  }
}

function tableOf(days: Series): string {
  const months = new Map<string, { count: number; moods: number }>();
  for (const { start, count, averageMood } of days) {
    const month = months.get(start.slice(0, 7)) ?? { count: 0, moods: 0 };
    month.count += count;
    month.moods += count * (averageMood ?? 0);
    months.set(start.slice(0, 7), month);
  }
  // A calendar that begins and ends in the same month of two years has 13.
  const shown = [...months].slice(-12);
  const row = (index: number, head: string, cells: readonly string[]) => {
    const y = CHARTS_HEIGHT + ROW * (index + 1);
    const texts = cells.map((cell, column) => {
      const x = TABLE_LEFT + COLUMN * (column + 1);
      return `<text role="${index === 0 ? 'columnheader' : 'cell'}" x="${x}" y="${y}" text-anchor="end">${cell}</text>`;
    });
    return `<g role="row"><text role="rowheader" x="20" y="${y}">${head}</text>${texts.join('')}</g>\n`;
  };
  return [
    row(
      0,
      'Month',
      shown.map(([month]) => `${MONTHS[Number(month.slice(5)) - 1]} ${month.slice(2, 4)}`),
    ),
    row(
      1,
      'Entries',
      shown.map(([, { count }]) => String(count)),
    ),
    row(
      2,
      'Mood',
      shown.map(([, { count, moods }]) => (count === 0 ? '–' : (moods / count).toFixed(1))),
    ),
  ].join('');
}

/** Consecutive number of the ISO 8601 week. Day 0 was a Thursday. */
function weekOf(day: string): number {
  return Math.floor((Date.parse(day) / DAY_MS + 3) / 7);
}

/** @returns 0 for Monday */
function weekdayOf(day: string): number {
  return (Date.parse(day) / DAY_MS + 3) % 7;
}

/** At the week in which the month begins, or else ''. */
function nameOfMonth(week: number): string {
  const sunday = new Date((week * 7 + 3) * DAY_MS);
  return sunday.getUTCDate() <= 7 ? (MONTHS[sunday.getUTCMonth()] ?? '') : '';
}
