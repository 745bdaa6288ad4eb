import { rmSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { EntitySchema } from 'typeorm';
import type { Generated } from '../../src/migrator/generate/generate-migration.js';
import { MigrationProject } from '../harness/database/migration-project.js';
import { EDITS, UNCHANGED, type Edit } from './generate.cases.js';

const tableOf = (group: string, index: number) => `${group}_${index}`;

function entityOf(table: string, fields: Record<string, Edit['from'] | undefined>): EntitySchema {
  const columns = Object.fromEntries(
    Object.entries(fields).flatMap(([field, column]) => (column === undefined ? [] : [[field, column]])),
  );
  return new EntitySchema({
    name: table,
    tableName: table,
    columns: {
      id: { type: 'integer', primary: true, generated: 'identity' },
      note: { type: 'text', default: 'note' },
      ...columns,
    } as never,
  });
}

async function valuesOf(
  project: MigrationProject,
  table: string,
  field = 'value',
): Promise<(string | null)[]> {
  const rows = await project.database.query<{ value: string | null }>(
    `SELECT ${field}::text AS value FROM ${table} ORDER BY id`,
  );
  return rows.map(({ value }) => value);
}

async function fillTable(project: MigrationProject, table: string, { values, from }: Edit): Promise<void> {
  if (from.asExpression !== undefined) await project.database.query(`INSERT INTO ${table} DEFAULT VALUES`);
  for (const value of values) await project.database.query(`INSERT INTO ${table} (value) VALUES (${value})`);
}

describe('migration:generate', () => {
  let project: MigrationProject;
  const before: Record<string, (string | null)[]> = {};
  const after: Record<string, (string | null)[]> = {};
  const reverted: Record<string, (string | null)[]> = {};
  let asked: Generated;
  let again: Generated;
  let catalogs: { before: string[]; after: string[] };
  let catalogReverted: string[];

  const edited = EDITS.map((edit, index) => ({ ...edit, table: tableOf('edited', index) }));
  const unchanged = UNCHANGED.map((edit, index) => ({ ...edit, table: tableOf('same', index) }));
  const old = [...edited, ...unchanged].map(({ table, from }) => entityOf(table, { value: from }));
  const next = [...edited, ...unchanged].map(({ table, to, field = 'value' }) =>
    entityOf(table, { [field]: to }),
  );

  beforeAll(async () => {
    project = await MigrationProject.create();
    await project.migrate(old);
    for (const each of [...edited, ...unchanged]) {
      await fillTable(project, each.table, each);
      before[each.table] = await valuesOf(project, each.table);
    }
    const catalog = await project.catalog();
    asked = await project.generate(next);
    const flags: Record<string, string[]> = {};
    for (const { flags: own = {}, table } of edited) {
      for (const [flag, values] of Object.entries(own)) {
        (flags[flag] ??= []).push(...values.map((value) => value.replaceAll('T', table)));
      }
    }
    const { migrations } = await project.migrate(next, flags);
    for (const { table, to, field } of [...edited, ...unchanged]) {
      after[table] = to === undefined ? [] : await valuesOf(project, table, field);
    }
    again = await project.generate(next);
    catalogs = { before: catalog, after: await project.catalog() };
    await project.revert(migrations.length);
    for (const { table } of [...edited, ...unchanged]) reverted[table] = await valuesOf(project, table);
    catalogReverted = await project.catalog();
  }, 180_000);
  afterAll(() => project.remove());

  it('finds nothing to do afterwards', () => {
    expect(again).toMatchObject({ questions: [], migrations: [] });
  });

  it('writes a down that restores the schema', () => {
    expect(catalogReverted).toEqual(catalogs.before);
    expect(catalogs.after).not.toEqual(catalogs.before);
  });

  it.each(edited)('$name: keeps what can be kept', ({ table, after: expected, to }) => {
    expect(after[table]).toEqual(to === undefined ? [] : (expected ?? before[table]));
  });

  it.each(
    edited.filter(({ to, flags }) => to !== undefined && !flags?.lossy && !flags?.drop && !flags?.fill),
  )('$name: down brings the values back', ({ table }) => {
    expect(reverted[table]).toEqual(before[table]);
  });

  it.each(edited.filter(({ flags }) => flags !== undefined))('$name: asks first', ({ table, flags = {} }) => {
    const choices = asked.questions.flatMap((question) => question.choices.map(({ flag }) => flag));
    const [flag = '', values = []] = Object.entries(flags).at(0) ?? [];
    // Only a person knows what to fill a column with.
    const value = (values[0] ?? '').replace(flag === 'fill' ? /:.*$/ : '', '');
    expect(
      choices.some((choice) =>
        choice.replaceAll('"', '').startsWith(`--${flag} ${value.replaceAll('T', table)}`),
      ),
    ).toBe(true);
  });

  it('asks about nothing else', () => {
    const known = new Set(edited.filter(({ flags }) => flags !== undefined).map(({ table }) => table));
    const tables = asked.questions.map(({ text }) => /\b(?:edited|same)_\d+(?=\b|_)/.exec(text)?.[0]);
    expect(tables.filter((table) => !known.has(table ?? ''))).toEqual([]);
    expect(asked.migrations).toEqual([]);
  });

  it.each(unchanged)('$name', ({ table }) => {
    expect(after[table]).toEqual(before[table]);
  });
});

describe('migration:generate for whole tables', () => {
  let project: MigrationProject;
  beforeAll(async () => {
    project = await MigrationProject.create();
  });
  afterAll(() => project.remove());

  const author = (more: object = {}) =>
    new EntitySchema({
      name: 'Author',
      tableName: 'authors',
      columns: {
        id: { type: 'uuid', primary: true, generated: 'uuid' },
        name: { type: 'text' },
        age: { type: 'integer', default: 0 },
      },
      ...more,
    });
  const book = (more: object = {}) =>
    new EntitySchema({
      name: 'Book',
      tableName: 'books',
      columns: { id: { type: 'integer', primary: true, generated: true }, title: { type: 'text' } },
      relations: {
        author: {
          type: 'many-to-one',
          target: 'Author',
          joinColumn: { name: 'author_id' },
          onDelete: 'CASCADE',
        },
        sequel: { type: 'one-to-one', target: 'Book', joinColumn: { name: 'sequel_id' }, nullable: true },
        readers: { type: 'many-to-many', target: 'Author', joinTable: { name: 'readers' } },
      },
      ...more,
    } as never);
  const category = new EntitySchema({
    name: 'Category',
    tableName: 'categories',
    columns: { id: { type: 'bigint', primary: true, generated: 'increment' }, name: { type: 'text' } },
    trees: [{ type: 'closure-table' }],
    relations: {
      parent: { type: 'many-to-one', target: 'Category', treeParent: true },
      children: { type: 'one-to-many', target: 'Category', inverseSide: 'parent', treeChildren: true },
    },
  } as never);
  const adults = (limit: number) =>
    new EntitySchema({
      name: 'Adult',
      tableName: 'adults',
      type: 'view',
      expression: `SELECT id, name FROM authors WHERE age >= ${limit}`,
      columns: { id: { type: 'uuid' }, name: { type: 'text' } },
    } as never);

  it('creates relations, join tables, trees, views and uuid keys without an extension', async () => {
    const entities = [author(), book(), category, adults(18)];
    await project.migrate(entities);
    await project.database.query(`INSERT INTO authors (name, age) VALUES ('Ada', 36), ('Bob', 7)`);
    await project.database.query(
      `INSERT INTO books (title, author_id) SELECT 'Notes', id FROM authors WHERE age = 36`,
    );
    expect(await project.database.query('SELECT name FROM adults')).toEqual([{ name: 'Ada' }]);
    expect(await project.generate(entities)).toMatchObject({ questions: [], migrations: [] });
    expect((await project.catalog()).filter((line) => /^extension/.test(line))).toHaveLength(1);
  });

  it.each([
    [{ rename: ['authors.nothing:other'] }, 'there is no table, column or enum value authors.nothing'],
    [{ drop: ['authors.nothing'] }, '--drop authors.nothing: there is no such table or column'],
    [{ lossy: ['nothing.at'] }, '--lossy nothing.at: there is no such column'],
  ])('refuses the answer %j', async (flags, message) => {
    await expect(project.generate([author(), book(), category, adults(18)], flags)).rejects.toThrow(message);
  });

  it('adds checks, indexes and unique constraints in the form that is safe on a table in use', async () => {
    const described = ({ least = 0, where = 'age > 17', columns = ['name', 'age'] } = {}) => [
      author({
        checks: [{ name: 'authors_age_check', expression: `age >= ${least}` }],
        indices: [{ name: 'authors_name_idx', columns: ['name'], where }],
        uniques: [{ name: 'authors_name_key', columns }],
      }),
      book(),
      category,
      adults(18),
    ];
    const { migrations } = await project.migrate(described());
    const [first = '', second = '', third = ''] = migrations.map(({ source }) => source);
    expect(first).toMatch(/CHECK .* NOT VALID/);
    expect(second).toContain('transaction = false');
    expect(second).toContain('CREATE INDEX CONCURRENTLY authors_name_idx');
    expect(second).toContain('CREATE UNIQUE INDEX CONCURRENTLY authors_name_key');
    expect(third).toContain('VALIDATE CONSTRAINT authors_age_check');
    expect(third).toContain('UNIQUE USING INDEX authors_name_key');
    expect(await project.generate(described())).toMatchObject({
      questions: [],
      migrations: [],
      phantoms: [],
    });
    const sourceOf = async (edit: Parameters<typeof described>[0]) =>
      (await project.generate(described(edit))).migrations.map(({ source }) => source).join('\n');
    expect(await sourceOf({ least: 1 })).toMatch(
      /DROP CONSTRAINT authors_age_check.*CHECK \(\(age >= 1\)\) NOT VALID/s,
    );
    expect(await sourceOf({ where: 'age > 18' })).toMatch(/CREATE INDEX CONCURRENTLY .* WHERE \(?age > 18/);
    expect(await sourceOf({ columns: ['name', 'id'] })).toMatch(
      /CREATE UNIQUE INDEX CONCURRENTLY .*\(name, id\)/,
    );
    await project.revert(3);
    expect(await project.database.query('SELECT name FROM authors ORDER BY name')).toHaveLength(2);
  });

  it('changes a column under a view and a foreign key, and keeps the rows', async () => {
    rmSync(project.folder, { recursive: true });
    await project.remove();
    project = await MigrationProject.create();
    await project.migrate([author(), book(), category, adults(18)]);
    await project.database.query(`INSERT INTO authors (name, age) VALUES ('Ada', 36), ('Bob', 7)`);
    const wider = author({
      columns: {
        id: { type: 'uuid', primary: true, generated: 'uuid' },
        name: { type: 'varchar', length: 200 },
        age: { type: 'bigint', default: 0 },
      },
    });
    const asked = await project.generate([wider, book(), category, adults(21)]);
    expect(asked.questions.map(({ choices }) => choices[0]?.flag)).toEqual([
      '--in-place authors.age',
      '--lossy authors.name',
    ]);
    await project.migrate([wider, book(), category, adults(21)], {
      lossy: ['authors.name'],
      'in-place': ['authors.age'],
    });
    expect(await project.database.query('SELECT name FROM adults')).toEqual([{ name: 'Ada' }]);
    expect(await project.database.query('SELECT sum(age)::int AS age FROM authors')).toEqual([{ age: 43 }]);
  });

  it('asks whether a table was renamed, and keeps its rows', async () => {
    const people = author({
      tableName: 'people',
      columns: {
        id: { type: 'uuid', primary: true, generated: 'uuid' },
        name: { type: 'varchar', length: 200 },
        age: { type: 'bigint', default: 0 },
      },
    });
    const entities = [people, book(), category];
    const asked = await project.generate(entities);
    expect(asked.questions[0]?.choices.map(({ flag }) => flag)).toEqual([
      '--rename authors:people',
      '--keep authors',
      '--drop authors',
    ]);
    const { migrations } = await project.migrate(entities, {
      rename: ['authors:people', 'readers.authorsId:peopleId'],
      'in-place': ['readers.authorsId'],
    });
    expect(await project.database.query('SELECT name FROM people ORDER BY name')).toEqual([
      { name: 'Ada' },
      { name: 'Bob' },
    ]);
    expect(await project.generate(entities)).toMatchObject({ questions: [], migrations: [] });
    await project.revert(migrations.length);
    expect(await project.database.query('SELECT name FROM authors ORDER BY name')).toEqual([
      { name: 'Ada' },
      { name: 'Bob' },
    ]);
  });

  it('names the entity that PostgreSQL refuses', async () => {
    const broken = new EntitySchema({
      name: 'Broken',
      tableName: 'broken',
      columns: {
        id: { type: 'integer', primary: true },
        at: { type: 'timestamptz', default: () => 'nonsense()' },
      },
    });
    await expect(project.generate([broken])).rejects.toThrow(/cannot be compared .*nonsense/);
  });
});
