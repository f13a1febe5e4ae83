#!/usr/bin/env bash
# The real Zoho CRM SDKs for Python and Node.js, whose own stores the tests compare ours
# with, and their MySQL drivers; see lib.sh for the ways to call it (there is no server here).
# Exports TOKENSTORE_TEST_ZOHO_PYTHON, a Python that has the SDK, and
# TOKENSTORE_TEST_ZOHO_NODE, a folder with node_modules.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/lib.sh"
. "$here/python.sh"

pins=$here/sdk
name=sdk-$(digest "$pins/requirements.txt" "$pins/package-lock.json")

install() {
  local python
  python=$(find_python 3)
  "$python" -m venv "$1/python"
  retry "$1/python/bin/pip" install --quiet --no-deps -r "$pins/requirements.txt"
  command -v node >/dev/null && command -v npm >/dev/null ||
    apt_install nodejs npm || die "node and npm are missing; install them"
  mkdir "$1/node"
  cp "$pins/package.json" "$pins/package-lock.json" "$1/node/"
  (cd "$1/node" && retry npm ci --silent --no-audit --no-fund)
}

working "$name/python"
once "$name" install
[ "${1-}" != --install ] || exit 0

export TOKENSTORE_TEST_ZOHO_PYTHON=$cache/$name/python/bin/python
export TOKENSTORE_TEST_ZOHO_NODE=$cache/$name/node
if [ $# -eq 0 ]; then
  echo "TOKENSTORE_TEST_ZOHO_PYTHON=$TOKENSTORE_TEST_ZOHO_PYTHON"
  echo "TOKENSTORE_TEST_ZOHO_NODE=$TOKENSTORE_TEST_ZOHO_NODE"
  exit
fi
exec "$@"
