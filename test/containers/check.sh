#!/usr/bin/env bash
# Builds the image, brings the stack up as a clean clone with no .env has it, breaks it in ways that happen, and
# takes it all away again: containers, volumes, network and image. One line a check; ends at the first that is wrong.
#
#   test/containers/check.sh                  without a Docker engine: says so, exit 1
#   test/containers/check.sh --if-available   without a Docker engine: says so, exit 0
#
# CHECK_PORT: the port on this machine's loopback, 18080 unless set. CHECK_PROJECT: the name of the compose project, so
# that two of these can run at a time.
set -euo pipefail

root=$(cd "$(dirname "$0")/../.." && pwd)
project=${CHECK_PROJECT:-entries-check}
port=${CHECK_PORT:-18080}
password='a long enough password'

if ! docker info >/dev/null 2>&1; then
  echo "no Docker engine here: the container checks did not run"
  [[ ${1:-} == --if-available ]] && exit 0
  exit 1
fi

work=$(mktemp -d)
passed=0

# Nothing of this shell's settings, nor of a .env, may reach the stack: only what finds the engine.
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
  # docker-compose 1 does not know the name.
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

# what it shows, then the command
check() {
  local what=$1 status=0 started=$SECONDS
  shift
  # Not as the condition of an `if`: bash would then pass over the failures inside.
  set +e
  (set -e; "$@") >"$work/output" 2>&1
  status=$?
  set -e
  if ((status == 0)); then
    passed=$((passed + 1))
    echo "ok    $what ($((SECONDS - started)) s)"
    return
  fi
  echo "WRONG $what"
  tail -n 30 "$work/output" | sed 's/^/      /'
  echo "      --- log of the stack"
  compose logs --tail 15 2>&1 | sed 's/^/      /' || true
  echo "$passed passed, 1 failed"
  exit 1
}

container() {
  docker ps -aq --filter "label=com.docker.compose.project=$project" --filter "label=com.docker.compose.service=$1"
}
state() { docker inspect -f "{{$2}}" "$(container "$1")"; }
expect() { [[ $1 == "$2" ]] || { echo "expected $2, got $1"; return 1; }; }
# seconds at most, then the command that is to succeed
within() {
  local deadline=$((SECONDS + $1))
  shift
  until "$@"; do
    ((SECONDS < deadline)) || { echo "not within the time: $*"; return 1; }
    sleep 0.5
  done
}

# the status expected, method, path, body
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
# Without the 10 s until the first healthcheck of the image.
comes_up() {
  compose up -d
  within 90 serves
}

answers_health() {
  api 200 GET /health &&
    grep -q '"migrations":{"pending":0' "$work/answer" &&
    grep -q '"store":"redis","status":"up"' "$work/answer"
}

# Of every container: no capability is left to the program itself, whatever its entrypoint needed before.
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

# As pg_dump writes them: every row of every table.
rows_of() { docker exec "$(container postgres)" pg_dump -U entries --data-only --inserts "$1" | grep '^INSERT' | sort; }
backups() { docker exec "$(container backup)" ls /backups; }
has_backups() { expect "$(backups | wc -l | tr -d ' ')" "$1"; }

backs_up_daily() {
  compose --profile backup up -d
  within 60 has_backups 1
  within 60 healthy backup
  backups | grep -E '^entries-[0-9]{8}T[0-9]{6}Z-release-[0-9.]+-[A-Za-z]+[0-9]{13}\.dump$'
  expect "$(docker exec "$(container backup)" sh -c 'stat -c %a:%u /backups/*')" 600:1000
  # As if it were of some days ago.
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

# A script of the project as a user runs it: where Compose is version 1, what it would run.
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
  # What is not empty is not overwritten unasked.
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
  # The token is of before: the volume of secrets is new as well.
  logs_in
  reads_the_entry
}

# A newer release, as far as the database can tell: its newest migration is not there.
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
  if compose up -d; then echo 'up succeeds without a backup'; return 1; fi
  expect "$(state app .State.Running)" false
  in_backups 'chmod 700 /backups'
  compose up -d
  within 120 serves
  in_backups 'ls /backups' |
    grep -E '^entries-[0-9]{8}T[0-9]{6}Z-before-[0-9.]+-[A-Za-z]+[0-9]{13}\.dump$'
  expect "$(count_backups_before_migrations)" 1
  reads_the_entry
  # Nothing is pending now.
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
  # A file of its own program that it can write would be a way to stay.
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

# Node tells of each file whether it took what is kept. Without settings the program ends once all is loaded.
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
  # Process 1 cannot be killed from inside its container, and `docker kill` counts as a stop that was asked for.
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
  # By the token from before: the JWT secret is kept too.
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
check 'the stack comes up on a clean clone with no .env: app, postgres and redis healthy' comes_up_healthy
check 'GET /health answers 200 on the published port: schema applied, cache in Redis' answers_health
check 'the service runs as uid 1000 and can write nothing of itself' runs_unprivileged
check 'the image holds no source, no development dependency and no compiler' holds_no_more_than_it_needs
check 'the image adds at most 15 MB to its base' adds_little_to_its_base
check 'what V8 made of the program at the build is used' takes_its_compile_cache
check 'no secret in the history or in docker inspect, and none that the user postgres can read' tells_no_secret
check 'the app is published on loopback alone, postgres and redis not at all' publishes_one_port
check 'every volume has a name, and the database is in one' names_its_volumes
check 'Redis has bounded memory and an eviction policy' bounds_redis
check 'POST /auth/register answers 201' registers
check 'POST /entries answers 201' writes_an_entry
check 'GET /entries/:id gives the entry' reads_the_entry
check 'docker compose run app node dist/database/migrate.js: status and verify' migrates_by_command
check 'after a kill -9 of the service it restarts and serves' recovers_from_a_kill
check 'without Redis it serves, also when started so, and takes Redis up again' does_without_redis
check 'started without a database it waits, says so, and serves once there is one' waits_for_the_database
check 'docker compose stop: every container ends with exit code 0' stops_in_good_order
check 'down and up keep user, entry and session' keeps_everything
check 'JWT_SECRET from .env takes the place of the one made, and gives it back' takes_a_secret
check 'the backup service backs up at its first start, and daily' backs_up_daily
check 'containers: read-only, no capability, no new privileges, not as root, limits, logs that end' confines_its_containers
check 'the service runs as any uid' serves_as_anybody
check 'a backup that failed makes the backup service unhealthy, and says why' tells_a_failed_backup
check 'a backup to a disk that is full says so, and leaves nothing' tells_a_full_disk
check 'restore: not unasked, then row by row what it was' restores
check 'restore into fresh volumes: row by row what it was' restores_into_a_fresh_volume
check 'MIGRATIONS_BACKUP: no start without a backup, one backup before the migration, none when nothing is pending' backs_up_before_migrating
check 'Docker secrets take the place of the ones made' takes_docker_secrets
check 'down --volumes leaves nothing behind' leaves_nothing
echo "$passed passed, 0 failed"
