#!/usr/bin/env bash
# MariaDB on a free port of 127.0.0.1, with a database of its own; see lib.sh for the three
# ways to call it. Exports TOKENSTORE_TEST_MYSQL, a URL without credentials, MYSQL_PWD, the
# password of its user, and TOKENSTORE_TEST_MYSQL_SERVER, the program mariadbd.
#
# The server is Debian's: what users run.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/lib.sh"

command -v mariadbd >/dev/null && command -v mariadb-install-db >/dev/null ||
  apt_install mariadb-server || die "mariadbd is missing; install MariaDB"
[ "${1-}" != --install ] || exit 0

# as_server COMMAND ...: becomes the command, as the server's user: mariadbd refuses to run
# as root. Its temporary files have a folder of their own: a server that starts removes those
# that others have in the same folder.
as_server() {
  [ "$(id -u)" != 0 ] || set -- setpriv --reuid=mysql --regid=mysql --clear-groups "$@"
  TMPDIR=$scratch/tmp exec "$@"
}

# The server never waits for the disk: data that a killed server has written is safe without
# that, only not from a power failure.
start() {
  local data=$scratch/data
  if [ ! -e "$data" ]; then
    mkdir "$data" "$scratch/tmp"
    if [ "$(id -u)" = 0 ]; then chmod 755 "$scratch" && chown mysql: "$data" "$scratch/tmp"; fi
    (as_server mariadb-install-db --no-defaults --datadir="$data" --auth-root-authentication-method=normal \
      --skip-test-db) >"$scratch/log" 2>&1
    cat >"$scratch/init.sql" <<SQL
CREATE DATABASE IF NOT EXISTS zohooauth;
CREATE USER IF NOT EXISTS app@'%' IDENTIFIED BY 'app-password';
GRANT ALL ON *.* TO app@'%' WITH GRANT OPTION;
SQL
  fi
  as_server mariadbd --no-defaults --datadir="$data" --socket="$data/socket" --pid-file="$data/pid" \
    --port="$1" --bind-address=127.0.0.1 --skip-name-resolve --init-file="$scratch/init.sql" \
    --max-connections=500 --innodb-flush-method=nosync --debug-no-sync --innodb-buffer-pool-size=64M >>"$scratch/log" 2>&1 </dev/null &
  server_pid=$!
}

# A server that is ready greets with its version.
answers() {
  { exec 3<>"/dev/tcp/127.0.0.1/$1"; } 2>/dev/null || return 1
  local greeting
  greeting=$(timeout 5 head -c 40 <&3 | tr -d '\0')
  exec 3>&-
  [[ $greeting == *MariaDB* ]]
}

serve start "" 60
export TOKENSTORE_TEST_MYSQL="mysql://127.0.0.1:$port/zohooauth?user=app" MYSQL_PWD=app-password
TOKENSTORE_TEST_MYSQL_SERVER=$(command -v mariadbd)
export TOKENSTORE_TEST_MYSQL_SERVER
say "TOKENSTORE_TEST_MYSQL=$TOKENSTORE_TEST_MYSQL MYSQL_PWD=$MYSQL_PWD"
attend "$@"
