import { zipSync, strToU8, type Zippable } from 'fflate';

/** Files of other apps, with invented content, made after the public descriptions of their formats. */

export const DAYLIO_CSV = `full_date,date,weekday,time,mood,activities,note_title,note
"2026-03-02","March 2","Monday","9:05 PM","rad","friends | good meal","A walk","By the river.<br>It was <b>cold</b> &amp; bright."
"2026-03-01","March 1","Sunday","21:30","meh","","",""
"2026-02-28","February 28","Saturday","8:00 AM","super","reading","","A rainy day"
`;

export interface DaylioBackup {
  readonly customMoods: readonly object[];
  readonly tags: readonly object[];
  readonly dayEntries: readonly object[];
}

export const DAYLIO_BACKUP: DaylioBackup & { readonly version: number } = {
  version: 15,
  customMoods: [
    { id: 1, custom_name: '', mood_group_id: 1, predefined_name_id: 1 },
    { id: 2, custom_name: '', mood_group_id: 2, predefined_name_id: 2 },
    { id: 7, custom_name: 'Serene', mood_group_id: 2, predefined_name_id: -1 },
    { id: 8, custom_name: 'Odd', mood_group_id: 0, predefined_name_id: -1 },
  ],
  tags: [
    { id: 1, name: 'friends' },
    { id: 2, name: 'good meal' },
  ],
  dayEntries: [
    {
      ...{ id: 1, year: 2026, month: 2, day: 2, hour: 22, minute: 5, timeZoneOffset: 3_600_000 },
      ...{
        datetime: Date.parse('2026-03-02T21:05:00Z'),
        mood: 7,
        note_title: '',
        note: 'Quiet.',
        tags: [1, 2],
      },
      assets: [11, 12],
    },
    {
      ...{
        id: 2,
        datetime: Date.parse('2026-03-01T20:30:00Z'),
        mood: 1,
        note_title: 'Party',
        note: '',
        tags: [1],
      },
      assets: [],
    },
  ],
};

export const DAY_ONE = {
  metadata: { version: '1.0' },
  entries: [
    {
      ...{ uuid: '0E5B1C6F0A514F0B9D5E0A5D3C2B1A01', creationDate: '2026-03-02T21:05:00Z', starred: true },
      text: 'Walked by the *river*.\n![](dayone-moment://ABC)\nCold.',
      ...{
        timeZone: 'Europe/Vienna',
        tags: ['River', 'walk'],
        photos: [{ identifier: 'ABC' }],
        pdfAttachments: [],
      },
    },
    {
      uuid: '0E5B1C6F0A514F0B9D5E0A5D3C2B1A02',
      creationDate: '2026-03-03T08:00:00Z',
      text: 'Snow.',
      starred: false,
    },
  ],
};

export function zip(files: Zippable): Buffer {
  return Buffer.from(zipSync(files));
}

/** A `.daylio` file. */
export function daylioFile(backup: DaylioBackup = DAYLIO_BACKUP): Buffer {
  const base64 = Buffer.from(JSON.stringify(backup)).toString('base64');
  return zip({
    'assets/photos/1.jpg': [new Uint8Array(2000).fill(1), { level: 0 }],
    'backup.daylio': strToU8(base64),
  });
}
