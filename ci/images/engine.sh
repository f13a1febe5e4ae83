#!/usr/bin/env bash
# A Docker engine for the container tests, on a machine that has none: Debian's,
# with its data in the cache and its socket in a scratch folder.
#
#   engine.sh COMMAND ...    run COMMAND with DOCKER_HOST set, then stop the engine
#
# Where an engine already answers, that one is used. Needs root otherwise.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/../servers/lib.sh"

[ $# -gt 0 ] || die "usage: engine.sh COMMAND ..."
if [ -z "${TOKENSTORE_OWN_ENGINE-}" ] && timeout 10 docker info >/dev/null 2>&1; then
  say "using the engine that answers"
  exec "$@"
fi

[ "$(id -u)" = 0 ] || die "no Docker engine answers, and starting one needs root"
command -v dockerd >/dev/null || apt_install docker.io iptables || die "no Docker engine answers, and none can be installed"

trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
scratch=$(mktemp -d /tmp/tokenstore.XXXXXX) # short: a socket's path has 108 bytes
export DOCKER_HOST=unix://$scratch/docker.sock
unset DOCKER_CONTEXT DOCKER_TLS_VERIFY

# docker0, its addresses and the iptables rules belong to the machine: a second engine
# would take the containers of the first off the network, even with another data root.
exec 9>/run/lock/tokenstore-docker.lock
flock -n 9 || { say "waiting for another engine to end"; flock -w 600 9; } || die "another engine still runs after ten minutes"

# The data root is ours alone: two engines never share one.
data=$cache/docker
exec 8>"$data.lock"
flock -n 8 || die "another engine uses $data"

dockerd --data-root "$data" --exec-root "$scratch/exec" --pidfile "$scratch/pid" \
  -H "$DOCKER_HOST" >"$scratch/log" 2>&1 </dev/null 8>&- 9>&- &
server_pid=$!
for tick in $(seq 300); do
  timeout 5 docker info >/dev/null 2>&1 && break
  if ! kill -0 "$server_pid" 2>/dev/null || [ "$tick" = 300 ]; then
    say "the Docker engine did not start; its last output:"
    tail -n 30 "$scratch/log" >&2
    exit 1
  fi
  sleep 0.2
done
say "DOCKER_HOST=$DOCKER_HOST: $(docker version --format '{{.Server.Version}}')"

# Settings for testcontainers: no reaper, which would need another image, and the
# containers' ports are published on this machine.
export TESTCONTAINERS_RYUK_DISABLED=true TESTCONTAINERS_HOST_OVERRIDE=127.0.0.1

# before_stop removes all containers, even if the command failed.
before_stop() {
  docker ps --all --quiet | xargs -r docker rm --force --volumes >/dev/null 2>&1 || true
}
before_stop # also those of a run that was killed
attend "$@"
