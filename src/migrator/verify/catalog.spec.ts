import { describe, expect, it } from '@jest/globals';
import { differences } from './catalog.js';

describe('differences', () => {
  it('gives what is gone and what has come, the two states of an object together', () => {
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

  it('gives nothing for the same lines in another order', () => {
    expect(differences(['table public.a', 'table public.b'], ['table public.b', 'table public.a'])).toEqual(
      [],
    );
  });

  it('indents the further lines of a definition, so that each sign begins a difference', () => {
    expect(differences([], ['view public.v AS SELECT a\n  FROM t;'])).toEqual([
      '+ view public.v AS SELECT a\n      FROM t;',
    ]);
  });
});
