#!/usr/bin/env bash
# Vault in dev mode on a free port of 127.0.0.1; see lib.sh for the three ways to
# call it. Exports VAULT_ADDR, VAULT_TOKEN and TOKENSTORE_TEST_VAULT_BINARY, the
# program itself, with which tests start servers of their own.
#
# Vault is built once from its Go module, a tool of the small module ci/vault, so that no
# other module requires it; that takes about ten minutes on two cores. Set VAULT_BINARY
# to use an existing binary instead.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/lib.sh"

module=$here/../vault

build() {
  say "building Vault, which takes about ten minutes"
  cd "$module"
  retry go mod download
  CGO_ENABLED=0 go build -trimpath -ldflags='-s -w' -o "$1/vault" github.com/hashicorp/vault
  "$1/vault" version >&2
}

if [ -n "${VAULT_BINARY-}" ]; then
  binary=$VAULT_BINARY
else
  name=vault-$(digest "$module/go.mod" "$module/go.sum")
  once "$name" build
  binary=$cache/$name/vault
fi
case ${1-} in
  --install) exit 0 ;;
  --binary) echo "$binary"; exit 0 ;; # the container image is made from it
esac

start() {
  # Its own home directory, since dev mode writes its root token to ~/.vault-token.
  env -u VAULT_ADDR -u VAULT_TOKEN HOME="$scratch" \
    "$binary" server -dev -dev-root-token-id=root -dev-no-store-token \
    -dev-listen-address="127.0.0.1:$1" >"$scratch/log" 2>&1 </dev/null &
  server_pid=$!
}

serve start /v1/sys/health 60
export TOKENSTORE_TEST_VAULT_BINARY=$binary
export VAULT_ADDR=http://127.0.0.1:$port VAULT_TOKEN=root
say "VAULT_ADDR=$VAULT_ADDR VAULT_TOKEN=$VAULT_TOKEN TOKENSTORE_TEST_VAULT_BINARY=$binary"
attend "$@"
