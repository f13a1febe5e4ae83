#!/usr/bin/env bash
# Builds the two images of the container tests without a registry, and runs a command with
# the variables that name them in place of the public ones:
#
#   engine.sh images.sh COMMAND ...
#
# Vault is an image from scratch with the program that ci/servers/vault.sh builds.
# LocalStack is Debian's Python in a root made by debootstrap, with the packages
# that ci/servers/localstack.sh installs: that needs root on Debian. Existing
# images are kept.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
servers=$here/../servers
. "$servers/lib.sh"

[ $# -gt 0 ] || die "usage: images.sh COMMAND ..."

# recipe must change whenever the steps below do: images are kept under this name.
recipe=1
vault_image=tokenstore-ci/vault:$recipe-$(digest "$servers/../vault/go.sum" "$here/vault.Dockerfile")
localstack_image=tokenstore-ci/localstack:$recipe-$(digest "$servers/localstack-requirements.txt")

present() { docker image inspect "$1" >/dev/null 2>&1; }

present "$localstack_image" || {
  [ "$(id -u)" = 0 ] || die "making $localstack_image needs root, for debootstrap"
  command -v debootstrap >/dev/null || apt_install debootstrap || die "making $localstack_image needs debootstrap"
}

# discard FOLDER: removes it. A debootstrap that was killed leaves the machine's /proc and
# /sys mounted below it, which rm must not enter.
discard() {
  local folder mounts
  folder=$(realpath -m "$1")
  mounts=$(awk -v below="$folder/" 'index($2, below) == 1 { print $2 }' /proc/self/mounts | sort -r)
  [ -z "$mounts" ] || umount --lazy $mounts
  rm -rf --one-file-system "$folder"
}

# One run at a time builds images; those that waited find them built. A folder that exists
# already was left by a run that was killed.
work=$cache/images
exec 9>"$work.lock"
flock 9
trap 'discard "$work"' EXIT
discard "$work"
mkdir "$work"

make_vault() {
  mkdir "$work/vault"
  cp "$("$servers/vault.sh" --binary)" "$work/vault/vault"
  # The classic builder, since not every engine has the other one.
  DOCKER_BUILDKIT=0 docker build --quiet -t "$vault_image" -f "$here/vault.Dockerfile" "$work/vault"
}

make_localstack() {
  local root=$work/root mirror
  mirror=$(awk '$1 == "URIs:" { print $2; exit } $1 == "deb" { print $2; exit }' \
    /etc/apt/sources.list.d/debian.sources /etc/apt/sources.list 2>/dev/null || true)
  # Bookworm's Python is 3.11, the one that the requirements are pinned for.
  retry bootstrap "$root" "$mirror"
  mkdir -p "$root/opt/localstack"
  cp -a "$("$servers/localstack.sh" --venv)"/lib/python3.11/site-packages/. "$root/opt/localstack/"
  tar -C "$root" -c . | docker import \
    -c 'ENV PYTHONPATH=/opt/localstack GATEWAY_LISTEN=0.0.0.0:4566 STRICT_SERVICE_LOADING=1 DISABLE_EVENTS=1 SKIP_SSL_CERT_DOWNLOAD=1 DNS_ADDRESS=0 FILESYSTEM_ROOT=/var/lib/localstack' \
    -c 'EXPOSE 4566' \
    -c 'ENTRYPOINT ["python3", "-m", "localstack.runtime.main"]' \
    - "$localstack_image"
}

bootstrap() {
  discard "$1"
  debootstrap --variant=minbase --include=python3,ca-certificates bookworm "$1" ${2:+"$2"} >"$work/log" 2>&1 ||
    { tail -n 20 "$work/log" >&2; return 1; }
  rm -rf "$1"/var/cache/apt/* "$1"/var/lib/apt/lists/*
}

present "$vault_image" || { say "making $vault_image"; make_vault; }
present "$localstack_image" || { say "making $localstack_image"; make_localstack; }
discard "$work"
trap - EXIT
exec 9>&-

export TOKENSTORE_TEST_VAULT_IMAGE=$vault_image TOKENSTORE_TEST_LOCALSTACK_IMAGE=$localstack_image
exec "$@"
