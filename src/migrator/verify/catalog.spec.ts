import { describe, expect, it } from '@jest/globals';
import { differences } from './catalog.js';

describe('differences', () => {
  it('returns removed and added lines, grouped by object', () => {
    const before = [
      'column public.a.x smallint',
      'column public.b.x text',
      'table public.a',
      'table public.b',
    ];
    const after = ['column public.a.x integer', 'column public.c.x text', 'table public.a', 'table public.c'];
    expect(differences(before, after)).toEqual([
      '- column public.a.x smallint',
      '+ column public.a.x integer',
      '- column public.b.x text',
      '+ column public.c.x text',
      '- table public.b',
      '+ table public.c',
    ]);
  });

  it('is empty for the same lines in another order', () => {
    expect(differences(['table public.a', 'table public.b'], ['table public.b', 'table public.a'])).toEqual(
      [],
    );
  });

  it('indents the other lines of a definition', () => {
    expect(differences([], ['view public.v AS SELECT a\n  FROM t;'])).toEqual([
      '+ view public.v AS SELECT a\n      FROM t;',
    ]);
  });
});
