/**
 * The arrows of the architecture: config, migrator <- database <- cache <- users <- security-events <- auth <- admin;
 * users <- idempotency; auth, idempotency <- entries; jobs and observability are leaves; mail imports config, database,
 * jobs and observability; http imports observability, and
 * features import http; health imports database and cache.
 *
 * @type {import('dependency-cruiser').IConfiguration}
 */
module.exports = {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'config-is-the-root',
      severity: 'error',
      from: { path: '^src/config/' },
      to: { path: '^src/(?!config/)' },
    },
    {
      name: 'migrator-imports-nothing',
      comment: 'Any TypeORM project can adopt the folder.',
      severity: 'error',
      from: { path: '^src/migrator/' },
      to: { path: '^src/(?!migrator/)' },
    },
    {
      name: 'database-imports-config-and-migrator',
      comment: 'migrate.ts is a program, and tells its errors as main.ts does.',
      severity: 'error',
      from: { path: '^src/database/', pathNot: '^src/database/migrate\\.ts$' },
      to: { path: '^src/(?!config/|migrator/|database/)' },
    },
    {
      name: 'cache-imports-config-and-observability',
      severity: 'error',
      from: { path: '^src/cache/' },
      to: { path: '^src/(?!config/|observability/|cache/)' },
    },
    {
      name: 'http-knows-no-feature',
      comment:
        'The rate limiter counts in the Redis that cache connects to; the request carries its log context.',
      severity: 'error',
      from: { path: '^src/http/' },
      to: { path: '^src/(?!config/|cache/|observability/|http/)' },
    },
    {
      name: 'observability-imports-config-alone',
      severity: 'error',
      from: { path: '^src/observability/' },
      to: { path: '^src/(?!config/|observability/)' },
    },
    {
      name: 'jobs-import-nothing',
      severity: 'error',
      from: { path: '^src/jobs/' },
      to: { path: '^src/(?!jobs/)' },
    },
    {
      name: 'mail-knows-no-feature',
      severity: 'error',
      from: { path: '^src/mail/' },
      to: { path: '^src/(?!config/|database/|jobs/|observability/|mail/)' },
    },
    {
      name: 'health-imports-database-and-cache',
      severity: 'error',
      from: { path: '^src/health/' },
      to: { path: '^src/(users|security-events|auth|admin|idempotency|entries)/' },
    },
    {
      name: 'users-knows-no-later-feature',
      severity: 'error',
      from: { path: '^src/users/' },
      to: { path: '^src/(security-events|auth|admin|idempotency|entries)/' },
    },
    {
      name: 'security-events-know-no-feature-but-users',
      severity: 'error',
      from: { path: '^src/security-events/' },
      to: { path: '^src/(auth|admin|idempotency|entries)/' },
    },
    {
      name: 'auth-knows-no-later-feature',
      severity: 'error',
      from: { path: '^src/auth/' },
      to: { path: '^src/(admin|idempotency|entries)/' },
    },
    {
      name: 'administrators-never-see-entries',
      severity: 'error',
      from: { path: '^src/admin/' },
      to: { path: '^src/(idempotency|entries)/' },
    },
    {
      name: 'idempotency-knows-no-feature-but-users',
      severity: 'error',
      from: { path: '^src/idempotency/' },
      to: { path: '^src/(security-events|auth|admin|entries)/' },
    },
    {
      name: 'a-feature-is-its-service',
      comment:
        'Of another feature: its module, service, schemas, response, and the entity that a relation points to. Never its repository.',
      severity: 'error',
      from: { path: '^src/(mail|users|security-events|auth|admin|idempotency|entries)/' },
      to: {
        path: '^src/(mail|users|security-events|auth|admin|idempotency|entries)/',
        pathNot: ['^src/$1/', '\\.(module|service|schemas|response|entity)\\.ts$'],
      },
    },
    {
      name: 'client-and-service-are-apart',
      comment: 'They share the OpenAPI document alone.',
      severity: 'error',
      from: { path: '^(client|src)/' },
      to: { path: '^(client|src)/', pathNot: '^$1/' },
    },
    {
      name: 'not-to-what-is-above',
      severity: 'error',
      from: { path: '^src/.+/' },
      to: { path: '^src/[^/]+\\.ts$' },
    },
    {
      name: 'nothing-imports-the-migration-lint',
      comment: 'It is for developers, and not in the build.',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/migrator/lint/' },
      to: { path: '^src/migrator/lint/' },
    },
    {
      name: 'no-dev-dependencies',
      severity: 'error',
      from: { path: '^src/', pathNot: '\\.spec\\.ts$|^src/migrator/lint/' },
      to: { dependencyTypes: ['npm-dev'] },
    },
    {
      name: 'no-undeclared-dependencies',
      severity: 'error',
      from: {},
      to: { dependencyTypes: ['npm-no-pkg', 'npm-unknown'] },
    },
    { name: 'no-unresolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
    {
      name: 'not-to-specs',
      severity: 'error',
      from: { pathNot: '\\.spec\\.ts$' },
      to: { path: '\\.spec\\.ts$' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default', 'types'],
      extensions: ['.ts', '.js'],
    },
  },
};
