/** What the diaries of `npm run seed` are made of. Invented. */

interface Activity {
  readonly text: string;
  readonly category: string;
  readonly tags: readonly string[];
}

/** One writer, and the sentences of their language. */
export interface Writer {
  readonly email: string;
  readonly displayName: string;
  readonly timezone: string;
  /** For a bad, a middling and a good day. */
  readonly moods: readonly [readonly string[], readonly string[], readonly string[]];
  readonly activities: readonly Activity[];
}

export interface SeededEntry {
  readonly id: string;
  readonly text: string;
  readonly mood: number;
  readonly category: string;
  readonly tags: readonly string[];
  readonly occurredAt: string;
}

const activity = (text: string, category: string, ...tags: string[]): Activity => ({ text, category, tags });

export const WRITERS: readonly Writer[] = [
  {
    email: 'ada@example.com',
    displayName: 'Ada',
    timezone: 'Europe/London',
    moods: [
      ['Slept badly again.', 'Everything took twice as long today.', 'Could not shake the worry.'],
      ['A quiet day.', 'Nothing special, and that is fine.', 'Busy, but all right.'],
      ['What a good day!', 'Laughed more than I have in weeks.', 'I feel like myself again.'],
    ],
    activities: [
      activity('Walked along the canal before breakfast.', 'health', 'walk', 'morning'),
      activity('The release went out, two days late.', 'work', 'release'),
      activity('Dinner with Grace, far too much pasta.', 'friends', 'dinner', 'grace'),
      activity('Read forty pages and fell asleep on the sofa.', 'home', 'reading'),
      activity('Phoned Mum. She has planted the tomatoes.', 'family', 'phone'),
    ],
  },
  {
    email: 'bruno@example.com',
    displayName: 'Bruno',
    timezone: 'Europe/Berlin',
    moods: [
      ['Heute ging gar nichts.', 'Müde und gereizt.', 'Wieder kaum geschlafen.'],
      ['Ganz normaler Tag.', 'Viel zu tun, aber es geht.', 'Unaufgeregt.'],
      ['Ein wunderschöner Tag!', 'Seit langem wieder richtig gelacht.', 'Rundum zufrieden.'],
    ],
    activities: [
      activity('Mit dem Rad an die Spree gefahren.', 'health', 'fahrrad'),
      activity('Drei Besprechungen, eine davon nötig.', 'arbeit', 'büro'),
      activity('Lena hat Käsespätzle gekocht.', 'freunde', 'essen', 'lena'),
      activity('Den Keller aufgeräumt und alte Fotos gefunden.', 'zuhause', 'fotos'),
      activity('Im Kino gewesen, der Film war zu lang.', 'freizeit', 'kino'),
    ],
  },
  {
    email: 'camille@example.com',
    displayName: 'Camille',
    timezone: 'Europe/Paris',
    moods: [
      ['Journée difficile.', 'Je n’ai envie de rien.', 'Mal dormi, encore.'],
      ['Une journée comme les autres.', 'Calme, presque trop.', 'Ça va.'],
      ['Quelle belle journée !', 'Le cœur léger.', 'J’ai retrouvé de l’énergie.'],
    ],
    activities: [
      activity('Café en terrasse avec Zoé.', 'amis', 'café', 'zoé'),
      activity('Réunion interminable, décision enfin prise.', 'travail', 'réunion'),
      activity('Couru six kilomètres le long de la Seine.', 'santé', 'course'),
      activity('Crêpes à la maison, la cuisine est un champ de bataille.', 'maison', 'cuisine'),
      activity('Visite à l’hôpital, grand-père va mieux.', 'famille', 'grand-père'),
    ],
  },
  {
    email: 'diego@example.com',
    displayName: 'Diego',
    timezone: 'America/Mexico_City',
    moods: [
      ['Un día pesado.', 'Me siento sin fuerzas.', 'No pude concentrarme.'],
      ['Un día normal.', 'Todo tranquilo.', 'Mucho trabajo, pero bien.'],
      ['¡Qué gran día!', 'Me reí muchísimo.', 'Contento y con ganas.'],
    ],
    activities: [
      activity('Fútbol con los vecinos, perdimos por uno.', 'deporte', 'fútbol'),
      activity('Comida con la abuela: mole y consejos.', 'familia', 'abuela', 'comida'),
      activity('Entregué el informe a tiempo.', 'trabajo', 'informe'),
      activity('Paseo por el mercado, compré mangos.', 'casa', 'mercado'),
      activity('Toqué la guitarra hasta tarde.', 'música', 'guitarra'),
    ],
  },
  {
    email: 'elena@example.com',
    displayName: 'Έλενα',
    timezone: 'Europe/Athens',
    moods: [
      ['Δύσκολη μέρα.', 'Πολύ κουρασμένη.', 'Δεν κοιμήθηκα καλά.'],
      ['Μια συνηθισμένη μέρα.', 'Ήρεμα.', 'Όλα εντάξει.'],
      ['Υπέροχη μέρα!', 'Γέλασα πολύ.', 'Γεμάτη ενέργεια.'],
    ],
    activities: [
      activity('Κολύμπι στη θάλασσα το πρωί.', 'υγεία', 'θάλασσα'),
      activity('Καφές με τη Μαρία.', 'φίλοι', 'καφές', 'μαρία'),
      activity('Τελείωσα την παρουσίαση.', 'δουλειά', 'παρουσίαση'),
      activity('Μαγείρεψα γεμιστά για όλους.', 'σπίτι', 'μαγείρεμα'),
      activity('Βόλτα στην Πλάκα.', 'βόλτα', 'πλάκα'),
    ],
  },
  {
    email: 'fatima@example.com',
    displayName: 'فاطمة',
    timezone: 'Africa/Cairo',
    moods: [
      ['يوم صعب.', 'أشعر بالتعب.', 'لم أنم جيدا.'],
      ['يوم عادي.', 'هادئ.', 'كل شيء على ما يرام.'],
      ['يوم رائع!', 'ضحكت كثيرا.', 'أشعر بالسعادة.'],
    ],
    activities: [
      activity('مشيت على ضفاف النيل.', 'صحة', 'مشي'),
      activity('قهوة مع ليلى.', 'أصدقاء', 'قهوة', 'ليلى'),
      activity('انتهيت من التقرير.', 'عمل', 'تقرير'),
      activity('طبخت كشري للعائلة.', 'بيت', 'طبخ'),
      activity('قرأت كتابا جديدا.', 'بيت', 'قراءة'),
    ],
  },
  {
    email: 'giulia@example.com',
    displayName: 'Giulia',
    timezone: 'Europe/Rome',
    moods: [
      ['Giornata no.', 'Stanca morta.', 'Troppi pensieri.'],
      ['Una giornata qualunque.', 'Tutto tranquillo.', 'Così così, ma va bene.'],
      ['Che bella giornata!', 'Felice senza un motivo preciso.', 'Ho riso fino alle lacrime.'],
    ],
    activities: [
      activity('Aperitivo con Marta in piazza.', 'amici', 'aperitivo', 'marta'),
      activity('Ho finito il capitolo due della tesi.', 'studio', 'tesi'),
      activity('Passeggiata sui colli.', 'salute', 'passeggiata'),
      activity('Lasagne della domenica.', 'famiglia', 'cucina'),
      activity('Il gatto ha rotto un altro vaso.', 'casa', 'gatto'),
    ],
  },
  {
    email: 'haruto@example.com',
    displayName: '陽翔',
    timezone: 'Asia/Tokyo',
    moods: [
      ['今日はつらい一日だった。', '眠れなかった。', 'やる気が出ない。'],
      ['いつも通りの一日。', '静かな日。', 'まあまあ。'],
      ['最高の一日!', 'たくさん笑った。', '気分がいい。'],
    ],
    activities: [
      activity('公園で桜を見ながら散歩した。', '健康', '散歩'),
      activity('会議が三つもあった。', '仕事', '会議'),
      activity('友達とラーメンを食べた。', '友達', 'ラーメン'),
      activity('部屋を片付けた。', '家', '掃除'),
      activity('ピアノを一時間練習した。', '趣味', 'ピアノ'),
    ],
  },
  {
    email: 'ines@example.com',
    displayName: 'Inês',
    timezone: 'America/Sao_Paulo',
    moods: [
      ['Dia difícil.', 'Cansada de tudo.', 'Quase não dormi.'],
      ['Um dia comum.', 'Tudo calmo.', 'Correria, mas deu certo.'],
      ['Que dia lindo!', 'Coração cheio.', 'Ri até chorar.'],
    ],
    activities: [
      activity('Praia de manhã, o mar estava gelado.', 'saúde', 'praia'),
      activity('Almoço com o João, pão de queijo e conversa.', 'amigos', 'joão', 'almoço'),
      activity('A apresentação correu bem.', 'trabalho', 'apresentação'),
      activity('Plantei manjericão na varanda.', 'casa', 'plantas'),
      activity('Aula de dança depois do trabalho.', 'lazer', 'dança'),
    ],
  },
  {
    email: 'jing@example.com',
    displayName: '静',
    timezone: 'Asia/Shanghai',
    moods: [
      ['今天很累。', '心情不好。', '昨晚没睡好。'],
      ['普通的一天。', '很平静。', '还可以。'],
      ['今天真开心!', '笑了很久。', '充满活力。'],
    ],
    activities: [
      activity('今天在河边散步。', '健康', '散步'),
      activity('和同事一起吃火锅。', '朋友', '火锅'),
      activity('项目终于上线了。', '工作', '上线'),
      activity('在家看了一部电影。', '家', '电影'),
      activity('给妈妈打了电话。', '家人', '电话'),
    ],
  },
];

const DAY_MS = 86_400_000;

/**
 * The diary of a writer for some days up to and including the last. A day of a writer has the same entries in every run.
 *
 * @param lastDay days since 1970-01-01
 */
export function* diaryOf(writer: Writer, lastDay: number, days: number): Generator<SeededEntry> {
  const person = WRITERS.indexOf(writer) + 1;
  for (let day = lastDay - days + 1; day <= lastDay; day += 1) {
    const random = mulberry32(person * 1_000_003 + day);
    // Some days are skipped, and some have two or three entries.
    const count = [0, 1, 1, 1, 1, 1, 2, 2, 3][Math.floor(random() * 9)] ?? 1;
    // Slow waves of some weeks, higher at the weekend.
    const base = 6 + 2 * Math.sin((day + person * 37) / 23) + ((day + 3) % 7 > 4 ? 1 : 0);
    for (let index = 0; index < count; index += 1) {
      const mood = Math.min(10, Math.max(1, Math.round(base + 4 * random() - 2)));
      const { text, category, tags } = pick(writer.activities, random);
      const opening = pick(writer.moods[mood <= 4 ? 0 : mood <= 7 ? 1 : 2], random);
      const at = day * DAY_MS + Math.floor((6 + index * 5 + 5 * random()) * 3_600_000);
      yield {
        id: uuidOf(at, random),
        text: `${opening} ${text}`,
        mood,
        category,
        tags,
        occurredAt: new Date(at).toISOString(),
      };
    }
  }
}

function pick<T>(items: readonly T[], random: () => number): T {
  const item = items[Math.floor(random() * items.length)];
  if (item === undefined) throw new RangeError('nothing to pick from');
  return item;
}

/** A UUIDv7 of RFC 9562 §5.7. */
function uuidOf(time: number, random: () => number): string {
  const hex = (digits: number) =>
    Math.floor(random() * 16 ** digits)
      .toString(16)
      .padStart(digits, '0');
  const ms = time.toString(16).padStart(12, '0');
  return `${ms.slice(0, 8)}-${ms.slice(8)}-7${hex(3)}-8${hex(3)}-${hex(6)}${hex(6)}`;
}

/** Tommy Ettinger's generator: short, and the same everywhere. @returns numbers from 0 to below 1 */
function mulberry32(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
