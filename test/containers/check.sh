#!/usr/bin/env bash
# Builds the image, starts the stack as in a clean clone without .env, causes common faults, and removes containers, volumes,
# network and image again. Prints one line per check and stops at the first failure.
#
#   test/containers/check.sh                  without a Docker engine: exit 1
#   test/containers/check.sh --if-available   without a Docker engine: exit 0
#
# CHECK_PORT: port on loopback, default 18080. CHECK_PROJECT: name of the compose project, for concurrent runs.
set -euo pipefail

root=$(cd "$(dirname "$0")/../.." && pwd)
project=${CHECK_PROJECT:-entries-check}
port=${CHECK_PORT:-18080}
password='a long enough password'

if ! docker info >/dev/null 2>&1; then
  echo "Docker engine not found: container checks skipped"
  [[ ${1:-} == --if-available ]] && exit 0
  exit 1
fi

work=$(mktemp -d)
passed=0

# An empty environment, except for what Docker needs.
clean=(env -i "PATH=$PATH" "HOME=$HOME" "PORT=$port")
for name in DOCKER_HOST DOCKER_CONTEXT DOCKER_CONFIG DOCKER_CERT_PATH DOCKER_TLS_VERIFY; do
  if [[ -n ${!name:-} ]]; then clean+=("$name=${!name}"); fi
done
settings=$work/settings
: >"$settings"
file=$root/docker-compose.yml
if docker compose version >/dev/null 2>&1; then
  program=(docker compose)
else
  # docker-compose 1 does not know the field `name`.
  program=(docker-compose)
  sed '/^name:/d' "$file" >"$work/docker-compose.yml"
  file=$work/docker-compose.yml
fi
compose() {
  "${clean[@]}" "${program[@]}" -p "$project" --project-directory "$root" -f "$file" --env-file "$settings" "$@"
}

remove_all() { compose --profile backup down --volumes --remove-orphans --rmi local; }
finish() {
  local status=$?
  remove_all >/dev/null 2>&1 || true
  rm -rf "$work"
  exit "$status"
}
trap finish EXIT
trap 'exit 130' INT TERM

# description, command
check() {
  local what=$1 status=0 started=$SECONDS
  shift
  # Not in an `if`, where bash would ignore failures inside.
  set +e
  (set -e; "$@") >"$work/output" 2>&1
  status=$?
  set -e
  if ((status == 0)); then
    passed=$((passed + 1))
    echo "ok    $what ($((SECONDS - started)) s)"
    return
  fi
  echo "FAIL  $what"
  tail -n 30 "$work/output" | sed 's/^/      /'
  echo "      --- log of the containers"
  compose logs --tail 15 2>&1 | sed 's/^/      /' || true
  echo "$passed passed, 1 failed"
  exit 1
}

container() {
  docker ps -aq --filter "label=com.docker.compose.project=$project" --filter "label=com.docker.compose.service=$1"
}
state() { docker inspect -f "{{$2}}" "$(container "$1")"; }
expect() { [[ $1 == "$2" ]] || { echo "expected $2, got $1"; return 1; }; }
# time limit in seconds, command that must succeed
within() {
  local deadline=$((SECONDS + $1))
  shift
  until "$@"; do
    ((SECONDS < deadline)) || { echo "timed out: $*"; return 1; }
    sleep 0.5
  done
}

# expected status, method, path, body
api() {
  local expected=$1 method=$2 path=$3 body=${4:-} token status
  token=$(cat "$work/token" 2>/dev/null || true)
  status=$(curl -sS --noproxy '*' --max-time 10 -o "$work/answer" -w '%{http_code}' -X "$method" \
    ${token:+-H "authorization: Bearer $token"} ${body:+-H 'content-type: application/json' -d "$body"} \
    "http://127.0.0.1:$port$path")
  cat "$work/answer" && echo
  expect "$status" "$expected"
}
field() { sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p" "$work/answer"; }
serves() { api 200 GET /health >/dev/null 2>&1; }
healthy() { expect "$(state "$1" .State.Health.Status)" healthy; }

comes_up_healthy() {
  compose up -d
  local service
  for service in postgres redis app; do within 90 healthy "$service"; done
}
# Skips the 10 s until the first healthcheck of the image.
comes_up() {
  compose up -d
  within 90 serves
}

answers_health() {
  api 200 GET /health &&
    grep -q '"migrations":{"pending":0' "$work/answer" &&
    grep -q '"store":"redis","status":"up"' "$work/answer"
}

# In every container the program has no capabilities, whatever its entrypoint needed.
confines_its_containers() {
  local service
  for service in app postgres redis backup; do
    expect "$service $(state "$service" .HostConfig.ReadonlyRootfs)" "$service true"
    expect "$service $(state "$service" .HostConfig.SecurityOpt)" "$service [no-new-privileges:true]"
    expect "$service $(state "$service" .HostConfig.RestartPolicy.Name)" "$service unless-stopped"
    expect "$service $(state "$service" '.HostConfig.LogConfig.Config')" "$service map[max-file:3 max-size:10m]"
    [[ $(state "$service" .HostConfig.Memory) != 0 && $(state "$service" .HostConfig.PidsLimit) != 0 ]] ||
      { echo "$service has no limits"; return 1; }
    docker exec "$(container "$service")" cat /proc/1/status >"$work/status"
    expect "$service $(sed -n 's/^CapEff:\t//p' "$work/status")" "$service 0000000000000000"
    expect "$service $(sed -n 's/^NoNewPrivs:\t//p' "$work/status")" "$service 1"
    if grep -q '^Uid:\t0' "$work/status"; then echo "$service runs as root"; return 1; fi
    if docker exec -u 0 "$(container "$service")" sh -c ': >/usr/local/probe' 2>&1; then return 1; fi
  done
  expect "$(state app .HostConfig.CapAdd)" '[]'
}

serves_as_anybody() {
  echo 'APP_USER=4242:4242' >"$settings"
  comes_up
  expect "$(docker exec "$(container app)" sed -n 's/^Uid:\t\([0-9]*\)\t.*/\1/p' /proc/1/status)" 4242
  reads_the_entry
  : >"$settings"
  comes_up
}

# Every row of every table, as pg_dump writes them.
rows_of() { docker exec "$(container postgres)" pg_dump -U entries --data-only --inserts "$1" | grep '^INSERT' | sort; }
backups() { docker exec "$(container backup)" ls /backups; }
has_backups() { expect "$(backups | wc -l | tr -d ' ')" "$1"; }

backs_up_daily() {
  compose --profile backup up -d
  within 60 has_backups 1
  within 60 healthy backup
  backups | grep -E '^entries-[0-9]{8}T[0-9]{6}Z-release-[0-9.]+-[A-Za-z]+[0-9]{13}\.dump$'
  expect "$(docker exec "$(container backup)" sh -c 'stat -c %a:%u /backups/*')" 600:1000
  # Makes it look some days old.
  docker exec "$(container backup)" sh -c 'cd /backups && for old in *; do mv "$old" "entries-20200101T${old#*T}"; done'
  within 60 has_backups 2
  within 60 healthy backup
}

tells_a_failed_backup() {
  compose stop postgres
  docker exec "$(container backup)" sh -c 'cd /backups && for old in *; do mv "$old" "entries-20200101T${old#*T}"; done'
  within 90 expect_unhealthy
  docker inspect -f '{{json .State.Health.Log}}' "$(container backup)" | grep 'the last backup failed: backup: cannot reach'
  compose up -d --wait postgres
  compose --profile backup restart backup
  within 60 healthy backup
  within 60 serves
}
expect_unhealthy() { expect "$(state backup .State.Health.Status)" unhealthy; }

# Runs a project script as a user does; with Compose 1, the command that it would run.
script() {
  local name=$1
  shift
  if [[ ${program[*]} == 'docker compose' ]]; then
    "${clean[@]}" "COMPOSE_PROJECT_NAME=$project" "COMPOSE_FILE=$file" "COMPOSE_ENV_FILES=$settings" "$root/scripts/$name" --compose "$@"
  else
    compose --profile backup run --rm -T backup "/scripts/$name" "$@"
  fi
}

restores() {
  rows_of entries >"$work/rows"
  grep -q 'kept for good' "$work/rows"
  script backup >"$work/made"
  local made
  made=$(sed -n 's|^backup: /backups/\([^ ]*\) .*|\1|p' "$work/made")
  compose --profile backup run --rm -T backup -c "cat /backups/$made" >"$work/saved.dump"
  # A database that is not empty is refused.
  local status=0
  script restore "$made" || status=$?
  expect "$status" 4
  api 204 DELETE "/entries/$(cat "$work/entry")"
  script restore --list | grep -qxF "$made"
  script restore --replace "$made"
  rows_of entries | cmp - "$work/rows"
  within 60 serves
  reads_the_entry
}

tells_a_full_disk() {
  # shellcheck disable=SC2016
  compose --profile backup run --rm -T backup -c '
    mkdir /tmp/small && head -c 64m /dev/zero >/tmp/fill 2>/dev/null
    /scripts/backup --folder /tmp/small; test $? = 1 && test -z "$(ls -A /tmp/small)"' 2>&1 | tee "$work/said"
  grep 'the disk of /tmp/small is full' "$work/said"
}

restores_into_a_fresh_volume() {
  compose --profile backup down --volumes
  compose up -d --wait postgres
  script restore - <"$work/saved.dump"
  rows_of entries | cmp - "$work/rows"
  comes_up
  # The old token is invalid, because the secrets volume is new.
  logs_in
  reads_the_entry
}

# Simulates a newer release: its newest migration is not applied.
forgets_a_migration() {
  docker exec "$(container postgres)" psql -U entries -qc '
    DROP INDEX entries_trash_idx; DELETE FROM migrations WHERE name LIKE $$IndexEntryTrash%$$' entries
}
in_backups() { compose --profile backup run --rm -T backup -c "$1"; }
count_backups_before_migrations() { in_backups 'ls /backups' | grep -c -e -before- || true; }
backs_up_before_migrating() {
  echo 'MIGRATIONS_BACKUP=true' >"$settings"
  compose stop app
  forgets_a_migration
  in_backups 'chmod 500 /backups'
  if compose up -d; then echo 'up succeeded without a backup'; return 1; fi
  expect "$(state app .State.Running)" false
  in_backups 'chmod 700 /backups'
  compose up -d
  within 120 serves
  in_backups 'ls /backups' |
    grep -E '^entries-[0-9]{8}T[0-9]{6}Z-before-[0-9.]+-[A-Za-z]+[0-9]{13}\.dump$'
  expect "$(count_backups_before_migrations)" 1
  reads_the_entry
  # No migration is pending now.
  compose up -d
  within 120 serves
  expect "$(count_backups_before_migrations)" 1
  : >"$settings"
  comes_up
}
takes_docker_secrets() {
  mkdir "$work/secrets"
  docker exec -u 0 "$(container app)" cat /run/secrets/database_password >"$work/secrets/database_password"
  echo 'a secret that is given as a file of Docker' >"$work/secrets/jwt_secret"
  chmod 440 "$work"/secrets/* && chgrp 1000 "$work"/secrets/*
  chmod 755 "$work" "$work/secrets"
  echo "SECRETS_FOLDER=$work/secrets" >"$settings"
  compose -f "$root/docker-compose.secrets.yml" up -d
  within 90 serves
  api 401 GET "/entries/$(cat "$work/entry")"
  logs_in
  reads_the_entry
  : >"$settings"
}

runs_unprivileged() {
  expect "$(docker exec "$(container app)" sed -n 's/^Uid:\t\([0-9]*\)\t.*/\1/p' /proc/1/status)" 1000
  # A writable program file would let an attacker persist.
  docker exec "$(container app)" node -e '
    const { accessSync, constants } = require("node:fs");
    for (const path of ["/app", "/app/dist/main.js", "/app/node_modules", "/run/secrets"]) {
      try { accessSync(path, constants.W_OK); } catch { continue; }
      throw new Error(`${path} can be written`);
    }'
}

holds_no_more_than_it_needs() {
  docker exec -i -u root "$(container app)" node --input-type=module -e "$(cat "$root/test/containers/image-contents.js")" \
    <"$root/package-lock.json"
}

adds_little_to_its_base() {
  local base added
  base=$(sed -n 's/^ARG NODE_VERSION=//p' "$root/Dockerfile")
  added=$(($(docker image inspect -f '{{.Size}}' "$(state app .Image)") -
    $(docker image inspect -f '{{.Size}}' "node:$base-alpine")))
  echo "$added bytes on top of node:$base-alpine"
  ((added <= 15000000))
}

# Node logs for each file whether the cache was accepted. Without settings the program exits once all modules are loaded.
takes_its_compile_cache() {
  local told
  told=$(docker run --rm -e NODE_DEBUG_NATIVE=COMPILE_CACHE "$(state app .Image)" 2>&1) || (($? == 78))
  echo "$(grep -c accepted <<<"$told") files taken from the compile cache, $(grep -c rejected <<<"$told") refused"
  (($(grep -c accepted <<<"$told") >= 15 && $(grep -c rejected <<<"$told") <= 1))
}

tells_no_secret() {
  local image containers secret
  image=$(state app .Image)
  containers=$(docker ps -aq --filter "label=com.docker.compose.project=$project")
  if docker history --no-trunc --format '{{.CreatedBy}}' "$image" | grep -iE 'password|secret|token|_auth'; then return 1; fi
  for secret in database_password jwt_secret; do
    docker exec "$(container app)" cat "/run/secrets/$secret" >"$work/secret"
    # 48 random bytes in base64
    expect "$(wc -c <"$work/secret" | tr -d ' ')" 64
    # shellcheck disable=SC2086
    if docker inspect $containers | grep -qF -f "$work/secret"; then echo "docker inspect shows $secret"; return 1; fi
    if docker exec -u postgres "$(container postgres)" cat "/run/secrets/$secret"; then return 1; fi
  done
}

publishes_one_port() {
  expect "$(docker port "$(container app)")" "8080/tcp -> 127.0.0.1:$port"
  expect "$(docker port "$(container postgres)")$(docker port "$(container redis)")" ''
}

names_its_volumes() {
  local id
  for id in $(docker ps -aq --filter "label=com.docker.compose.project=$project"); do
    docker inspect -f '{{range .Mounts}}{{if eq .Type "volume"}}{{println .Name .Destination}}{{end}}{{end}}' "$id"
  done | sed '/^$/d' | sort -u >"$work/volumes"
  cat "$work/volumes"
  expect "$(grep -cv "^${project}_" "$work/volumes" || true)" 0
  grep -q "^${project}_postgres /var/lib/postgresql$" "$work/volumes"
}

bounds_redis() {
  expect "$(docker exec "$(container redis)" redis-cli --raw config get maxmemory | tail -n 1)" 67108864
  expect "$(docker exec "$(container redis)" redis-cli --raw config get maxmemory-policy | tail -n 1)" allkeys-lru
}

registers() {
  api 201 POST /auth/register "{\"email\":\"someone@example.org\",\"password\":\"$password\"}"
  field accessToken >"$work/token"
}
logs_in() {
  rm -f "$work/token"
  api 200 POST /auth/login "{\"email\":\"someone@example.org\",\"password\":\"$password\"}"
  field accessToken >"$work/token"
}
writes_an_entry() {
  api 201 POST /entries '{"text":"kept for good","mood":8}'
  field id >"$work/entry"
}
reads_the_entry() {
  api 200 GET "/entries/$(cat "$work/entry")"
  expect "$(field text)" 'kept for good'
}

migrates_by_command() {
  compose run --rm app node dist/database/migrate.js status | tee "$work/status"
  grep -q '^applied  CreateUsersSessionsAndEntries' "$work/status"
  grep -q ' 0 pending; this is release ' "$work/status"
  compose run --rm app node dist/database/migrate.js verify
}

restarted() { [[ $(state app .RestartCount) == 1 ]]; }
recovers_from_a_kill() {
  # Process 1 cannot be killed from inside its container, and `docker kill` counts as a requested stop.
  docker run --rm --pid host --user root --network none --no-healthcheck "$(state app .Image)" \
    node -e 'process.kill(Number(process.argv[1]), "SIGKILL")' "$(state app .State.Pid)"
  within 30 restarted
  within 60 serves
  reads_the_entry
}

answers_degraded() { api 200 GET /health && grep -q '"degraded":true' "$work/answer"; }
does_without_redis() {
  compose stop redis
  reads_the_entry
  answers_degraded
  compose stop app
  compose up -d --no-deps app
  within 60 serves
  reads_the_entry
  compose up -d redis
  within 60 answers_health
}

says_it_waits() {
  docker logs --since "$(state app .State.StartedAt)" "$(container app)" 2>&1 | grep 'is not ready (try 2)'
}
waits_for_the_database() {
  compose stop app postgres
  compose up -d --no-deps app
  within 30 says_it_waits
  expect "$(state app .State.Running)" true
  compose up -d postgres
  within 60 serves
  reads_the_entry
}

stops_in_good_order() {
  local service
  compose stop
  for service in app postgres redis; do expect "$service $(state "$service" .State.ExitCode)" "$service 0"; done
  docker logs --tail 1 "$(container app)" 2>&1 | grep '"msg":"stopped"'
}

keeps_everything() {
  compose down
  expect "$(docker ps -aq --filter "label=com.docker.compose.project=$project")" ''
  comes_up
  # With the old token: the JWT secret is kept too.
  reads_the_entry
  logs_in
  reads_the_entry
}

takes_a_secret() {
  cp "$work/token" "$work/token-before"
  echo 'JWT_SECRET=one that 0nly this check uses, 32 bytes' >"$settings"
  comes_up
  api 401 GET "/entries/$(cat "$work/entry")"
  logs_in
  reads_the_entry
  : >"$settings"
  comes_up
  api 401 GET "/entries/$(cat "$work/entry")"
  cp "$work/token-before" "$work/token"
  reads_the_entry
}

leaves_nothing() {
  remove_all
  local kind
  for kind in 'ps -a' 'volume ls' 'network ls'; do
    # shellcheck disable=SC2086
    expect "$(docker $kind -q --filter "label=com.docker.compose.project=$project")" ''
  done
}

remove_all >/dev/null 2>&1
check 'the image builds' compose build
check 'the stack starts in a clean clone without .env: app, postgres and redis are healthy' comes_up_healthy
check 'GET /health answers 200 on the published port: migrations applied, cache in Redis' answers_health
check 'the app runs as uid 1000 and cannot write its own files' runs_unprivileged
check 'the image contains no source, development dependency or compiler' holds_no_more_than_it_needs
check 'the image adds at most 15 MB to its base' adds_little_to_its_base
check 'the compile cache of the build is used' takes_its_compile_cache
check 'no secret in docker history or docker inspect, and the user postgres can read none' tells_no_secret
check 'the app is published on loopback only, postgres and redis not at all' publishes_one_port
check 'every volume has a name, and one holds the database' names_its_volumes
check 'Redis has bounded memory and an eviction policy' bounds_redis
check 'POST /auth/register answers 201' registers
check 'POST /entries answers 201' writes_an_entry
check 'GET /entries/:id returns the entry' reads_the_entry
check 'docker compose run app node dist/database/migrate.js: status and verify' migrates_by_command
check 'after kill -9 the app restarts and serves requests' recovers_from_a_kill
check 'the app serves requests without Redis, also if started without it, and reconnects' does_without_redis
check 'started without a database the app waits, logs it, and then serves requests' waits_for_the_database
check 'docker compose stop: every container ends with exit code 0' stops_in_good_order
check 'down and up keep users, entries and sessions' keeps_everything
check 'JWT_SECRET in .env overrides the generated secret, which is used again without it' takes_a_secret
check 'the backup service makes a backup at its first start and every day' backs_up_daily
check 'containers: read-only, no capabilities, no new privileges, not root, limited memory and logs' confines_its_containers
check 'the app runs as any uid' serves_as_anybody
check 'a failed backup makes the backup service unhealthy, with the reason' tells_a_failed_backup
check 'a backup to a full disk fails with a message and leaves no file' tells_a_full_disk
check 'restore: refused without --replace, then all rows are equal' restores
check 'restore into new volumes: all rows are equal' restores_into_a_fresh_volume
check 'MIGRATIONS_BACKUP: one backup before a migration, no start if it fails, none if nothing is pending' backs_up_before_migrating
check 'Docker secrets override the generated secrets' takes_docker_secrets
check 'down --volumes leaves nothing behind' leaves_nothing
echo "$passed passed, 0 failed"
