# shellcheck shell=sh disable=SC2154
# Read by backup, restore and backup-service: where the database is, and what PostgreSQL's own programs say of it.
# They are POSIX shell, as they run in PostgreSQL's image too, where there is pg_dump and no Node.

program=${0##*/}
# Messages are looked through below, and dates compared.
export LC_ALL=C
umask 077

say() { echo "$program: $*"; }
fail() {
  echo "$program: $*" >&2
  exit 1
}

# PG* is what libpq reads. Unless DATABASE_SETTINGS=libpq says that they are meant (the compose service's are), they
# are set by what the service itself reads: DATABASE_URL, DB_*, the files of *_FILE, .env, or the database of npm start.
find_database() {
  if [ "${DATABASE_SETTINGS:-}" != libpq ]; then
    command -v node >/dev/null || fail 'node is not on the PATH: it reads the configuration of the service'
    [ -x "$here/../node_modules/.bin/tsx" ] || fail 'the development dependencies are not installed: run npm ci'
    exec "$here/../node_modules/.bin/tsx" "$here/libpq-settings.ts" "$0" "$@"
  fi
  if [ -n "${PGPASSWORD_FILE:-}" ]; then
    PGPASSWORD=$(cat "$PGPASSWORD_FILE") || fail "PGPASSWORD_FILE, $PGPASSWORD_FILE, cannot be read"
    export PGPASSWORD
  fi
  PGCONNECT_TIMEOUT=10
  export PGCONNECT_TIMEOUT
}

# Runs the script in the compose project's service `backup` instead.
through_compose() {
  cd "$here/.." || exit
  exec docker compose "$@"
}

# SQL by the standard input or -c; prints rows, columns apart by |.
query() { psql --no-psqlrc --quiet --tuples-only --no-align --set=ON_ERROR_STOP=1 "$@"; }

# The major version of a program of PostgreSQL.
major_of() {
  command -v "$1" >/dev/null ||
    fail "$1 is not on the PATH: install PostgreSQL's client programs (Debian: postgresql-client)"
  "$1" --version | sed 's/[^0-9]*\([0-9]*\).*/\1/'
}

# pg_dump refuses a server that is newer than itself; this says what to do about it.
require_client_for_server() {
  client=$(major_of pg_dump)
  number=$(query -c 'SHOW server_version_num') || fail "cannot reach the database $PGDATABASE on $PGHOST:$PGPORT"
  server=$((number / 10000))
  [ "$client" -ge "$server" ] ||
    fail "pg_dump is of PostgreSQL $client, and the server of $server: it must be as new as the server, or newer." \
      "Install the client programs of PostgreSQL $server (Debian: postgresql-client-$server) and put their folder" \
      "first in PATH, such as PATH=/usr/lib/postgresql/$server/bin:\$PATH"
}

# The newest migration in a dump, and the release that applied it, as its own tables say.
describe_dump() {
  {
    pg_restore --data-only --table=migrations --file=- "$1" &&
      pg_restore --data-only --table=migration_history --file=- "$1"
  } | awk -F '\t' '
    /^COPY / {
      table = $0; sub(/^COPY [^ ]*\./, "", table); sub(/ .*/, "", table)
      columns = $0; sub(/^[^(]*\(/, "", columns); sub(/\).*/, "", columns); gsub(/[" ]/, "", columns)
      count = split(columns, column, ","); inside = 1; next
    }
    /^\\\.$/ { inside = 0 }
    !inside { next }
    { for (i = 1; i <= count; i++) row[column[i]] = $i }
    table == "migrations" && row["id"] + 0 > newest { newest = row["id"] + 0; name = row["name"] }
    table == "migration_history" { release[row["name"]] = row["release"] }
    END { if (name != "") print name, (name in release ? release[name] : "unknown") }'
}

# YYYYMMDDTHHMMSSZ of a number of seconds since the epoch; GNU and busybox, or else BSD.
stamp() { date -u -d "@$1" +%Y%m%dT%H%M%SZ 2>/dev/null || date -u -r "$1" +%Y%m%dT%H%M%SZ; }

# The database's name as it stands in a file's.
safe_name() { printf %s "$1" | tr -c 'A-Za-z0-9_.-' _; }

# Regular backups of this database in a folder, newest first; not those from before a migration, which are kept.
regular_backups() {
  for file in "$1/$(safe_name "$PGDATABASE")"-[0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9]T[0-9]*Z-release-*.dump; do
    if [ -f "$file" ]; then echo "${file##*/}"; fi
  done | sort -r
}

# The time in a backup's name.
time_of() { expr "$1" : '.*-\([0-9]\{8\}T[0-9]\{6\}Z\)-'; }
