# Functions that the scripts of this folder share. Sourced, not run.
#
# Every script NAME.sh here is used in three ways:
#   NAME.sh --install     put the server into the cache, start nothing
#   NAME.sh COMMAND ...   start it, run COMMAND with its address in the environment, stop it
#   NAME.sh               start it, print its address, and keep it until interrupted
# They nest: localstack.sh vault.sh go test ./...

cache=${TOKENSTORE_CACHE:-$HOME/.cache/tokenstore}
mkdir -p "$cache"

say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }
die() { say "$*"; exit 1; }

# retry COMMAND ...: tries up to three times, since registries fail now and then.
retry() {
  local try
  for try in 1 2 3; do
    "$@" && return 0
    say "try $try of 3 failed: $1 ${2-}"
    sleep $((try * 5))
  done
  return 1
}

# apt_install PACKAGE ...: installs Debian packages; fails if that is not possible. It
# starts no services: these scripts start and stop the ones that they need.
apt_install() {
  [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || return 1
  say "installing Debian's $*"
  ( # a subshell, so that its traps take the policy away however it ends
    exec 9>/run/lock/tokenstore-apt.lock
    flock 9 || exit
    policy=/usr/sbin/policy-rc.d mark='# of tokenstore/ci'
    if [ ! -e "$policy" ] || grep -q "^$mark" "$policy"; then # or of a run that was killed
      trap 'rm -f "$policy"' EXIT
      trap 'exit 130' INT
      trap 'exit 143' TERM HUP
      printf '#!/bin/sh\n%s\nexit 101\n' "$mark" >"$policy" && chmod 755 "$policy" || exit
    fi
    retry apt-get update -qq >&2 9>&- &&
      retry env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >&2 9>&-
  )
}

# once NAME COMMAND ...: runs COMMAND unless an earlier run has left the file
# $cache/NAME/.complete; concurrent runs wait for each other.
once() {
  local dir=$cache/$1
  shift
  [ -e "$dir/.complete" ] && return 0
  (
    if command -v flock >/dev/null; then
      exec 9>"$dir.lock"
      flock 9
    fi
    [ -e "$dir/.complete" ] && exit 0
    rm -rf "$dir"
    mkdir -p "$dir"
    "$@" "$dir" 9>&-
    touch "$dir/.complete"
  )
}

# digest FILE ...: a short name for the files' content.
digest() {
  if command -v sha256sum >/dev/null; then cat "$@" | sha256sum; else cat "$@" | shasum -a 256; fi | cut -c 1-16
}

# free_port: prints a port of 127.0.0.1 that is not in use, below the range that systems
# use for outgoing connections.
free_port() {
  local port
  while :; do
    port=$((20000 + RANDOM % 12000))
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
  done
  echo "$port"
}

# answers PORT PATH: whether an HTTP GET there is answered with status 200.
answers() {
  local line=
  {
    exec 3<>"/dev/tcp/127.0.0.1/$1" || return 1
    printf 'GET %s HTTP/1.0\r\nHost: 127.0.0.1:%s\r\n\r\n' "$2" "$1" >&3
    IFS= read -r -t 5 line <&3 || true
    exec 3>&-
  } 2>/dev/null
  [[ $line == HTTP/1.?\ 200* ]]
}

# server_pid, command_pid and scratch are what the exit trap cleans up.
server_pid= command_pid= scratch=

# patience is how many seconds a command may continue after it was asked to stop.
# Commands run through these scripts get half of it, so that they end first.
patience=${TOKENSTORE_PATIENCE:-40}

# running PID: whether PID is a running child of this shell. The PID of a child that has
# ended may belong to another process by now.
running() { grep -qx "$1" <<<"$(jobs -pr)"; }

# end PID SECONDS: asks the process group, or a child without a group of its own, to stop;
# kills it after SECONDS.
end() {
  local target=-$1 tick
  if ! kill -0 -- "$target" 2>/dev/null; then
    running "$1" || return 0
    target=$1
  fi
  kill -TERM -- "$target" 2>/dev/null || return 0
  for tick in $(seq $(($2 * 10))); do
    kill -0 -- "$target" 2>/dev/null || break
    sleep 0.1
  done
  kill -KILL -- "$target" 2>/dev/null || true
  wait "$1" 2>/dev/null || true
}

# before_stop is run after the command has ended and before the server is stopped;
# scripts may redefine it.
before_stop() { :; }

stop() {
  [ -z "$command_pid" ] || end "$command_pid" "$patience"
  command_pid=
  [ -z "$server_pid" ] || before_stop
  [ -z "$server_pid" ] || ! running "$server_pid" || end "$server_pid" 10
  server_pid=
}

cleanup() {
  local status=$?
  trap - EXIT INT TERM HUP
  stop
  [ -z "$scratch" ] || rm -rf "$scratch"
  exit "$status"
}

# serve START PATH SECONDS: calls START with a free port (it sets server_pid and
# writes to $scratch/log) and waits until PATH answers there. Sets port.
serve() {
  local try tick
  trap cleanup EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
  scratch=$(mktemp -d "${TMPDIR:-/tmp}/tokenstore.XXXXXX")
  for try in 1 2 3; do
    port=$(free_port)
    "$1" "$port"
    for tick in $(seq $(($3 * 5))); do
      answers "$port" "$2" && kill -0 "$server_pid" 2>/dev/null && return 0
      kill -0 "$server_pid" 2>/dev/null || break
      sleep 0.2
    done
    say "not ready on port $port (try $try of 3); its last output:"
    tail -n 20 "$scratch/log" >&2
    stop
  done
  exit 1
}

# attend COMMAND ...: runs COMMAND, or waits for an interrupt if there is none.
attend() {
  if [ $# -eq 0 ]; then
    say "running; interrupt to stop"
    wait "$server_pid"
    exit
  fi
  set -m # a process group of its own, so that all of it can be stopped
  # Without the locks of these scripts, which the command must not keep.
  TOKENSTORE_PATIENCE=$((patience / 2)) "$@" <&0 8>&- 9>&- &
  command_pid=$!
  set +m
  local status=0
  wait "$command_pid" || status=$?
  end "$command_pid" "$patience" # processes that a failed command has left behind
  command_pid=
  if [ -n "$server_pid" ] && ! kill -0 "$server_pid" 2>/dev/null; then
    say "the server ended before the command; its last output:"
    tail -n 20 "$scratch/log" >&2
    [ "$status" -ne 0 ] || status=1
  fi
  exit "$status"
}
