/** The file of a migration. */
export interface MigrationSource {
  readonly file: string;
  readonly source: string;
}

/** Writes the class of a migration, as TypeORM's own generator lays it out. */
export function migrationSource({
  name,
  timestamp,
  transaction,
  up,
  down,
  lossy,
}: {
  readonly name: string;
  readonly timestamp: number;
  readonly transaction: boolean;
  readonly up: readonly string[];
  readonly down: readonly string[];
  /** Tables and columns that lose values, as the person who generated it has said. */
  readonly lossy: readonly string[];
}): MigrationSource {
  const lines = [
    "import type { MigrationInterface, QueryRunner } from 'typeorm';",
    '',
    ...lossy.map((what) => `// lossy: ${what}: asked for when the migration was generated`),
    `export class ${name}${timestamp} implements MigrationInterface {`,
    `  name = '${name}${timestamp}';`,
    ...(transaction ? [] : ['  transaction = false;']),
    '',
    ...method('up', up),
    '',
    ...method('down', down),
    '}',
    '',
  ];
  return { file: `${timestamp}-${name}.ts`, source: lines.join('\n') };
}

function method(name: string, statements: readonly string[]): string[] {
  return [
    `  public async ${name}(queryRunner: QueryRunner): Promise<void> {`,
    ...statements.map((sql) => `    await queryRunner.query(\`${escaped(sql)}\`);`),
    '  }',
  ];
}

function escaped(sql: string): string {
  return sql.replaceAll('\\', '\\\\').replaceAll('`', '\\`').replaceAll('${', '\\${');
}
