/** The file of a migration. */
export interface MigrationSource {
  readonly file: string;
  readonly source: string;
}

/** Writes the class of a migration in the layout of TypeORM's own generator. */
export function migrationSource({
  name,
  timestamp,
  transaction,
  compatible,
  up,
  down,
  comments,
}: {
  readonly name: string;
  readonly timestamp: number;
  readonly transaction: boolean;
  readonly compatible: boolean;
  readonly up: readonly string[];
  readonly down: readonly string[];
  /** One line each. */
  readonly comments: readonly string[];
}): MigrationSource {
  const lines = [
    "import type { MigrationInterface, QueryRunner } from 'typeorm';",
    '',
    ...comments.map((line) => `// ${line}`),
    `export class ${name}${timestamp} implements MigrationInterface {`,
    `  name = '${name}${timestamp}';`,
    ...(transaction ? [] : ['  transaction = false;']),
    ...(compatible ? ['  compatible = true;'] : []),
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
