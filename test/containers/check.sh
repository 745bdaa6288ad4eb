#!/usr/bin/env bash
# Builds the image, brings the stack up as a clean clone with no .env has it, breaks it in ways that happen, and
# takes it all away again: containers, volumes, network and image. One line a check; ends at the first that is wrong.
#
#   test/containers/check.sh                  without a Docker engine: says so, exit 1
#   test/containers/check.sh --if-available   without a Docker engine: says so, exit 0
#
# CHECK_PORT: the port on this machine's loopback, 18080 unless set.
set -euo pipefail

root=$(cd "$(dirname "$0")/../.." && pwd)
project=entries-check
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

remove_all() { compose down --volumes --remove-orphans --rmi local; }
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
  local what=$1 status=0
  shift
  # Not as the condition of an `if`: bash would then pass over the failures inside.
  set +e
  (set -e; "$@") >"$work/output" 2>&1
  status=$?
  set -e
  if ((status == 0)); then
    passed=$((passed + 1))
    echo "ok    $what"
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

comes_up() {
  compose up -d
  local service
  for service in postgres redis app; do within 90 healthy "$service"; done
}

answers_health() {
  api 200 GET /health &&
    grep -q '"migrations":{"pending":0' "$work/answer" &&
    grep -q '"store":"redis","status":"up"' "$work/answer"
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
check 'the stack comes up on a clean clone with no .env: app, postgres and redis healthy' comes_up
check 'GET /health answers 200 on the published port: schema applied, cache in Redis' answers_health
check 'the service runs as uid 1000 and can write nothing of itself' runs_unprivileged
check 'the image holds no source, no development dependency and no compiler' holds_no_more_than_it_needs
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
check 'down --volumes leaves nothing behind' leaves_nothing
echo "$passed passed, 0 failed"
