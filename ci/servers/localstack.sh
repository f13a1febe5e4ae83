#!/usr/bin/env bash
# LocalStack with Secrets Manager on a free port of 127.0.0.1; see lib.sh for the
# three ways to call it. Exports TOKENSTORE_TEST_AWS_ENDPOINT. Any region and the
# credentials "test"/"test" are accepted.
#
# 4.14.0 is the last release that needs no account; it works with exactly the
# versions of localstack-requirements.txt, which are for Python 3.11.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/lib.sh"
. "$here/python.sh"

requirements=$here/localstack-requirements.txt
name=localstack-$(digest "$requirements")

install() {
  local python
  python=$(find_python 3.11)
  "$python" -m venv "$1/venv"
  retry "$1/venv/bin/pip" install --quiet --no-deps -r "$requirements"
}

working "$name/venv"
once "$name" install
case ${1-} in
  --install) exit 0 ;;
  --venv) echo "$cache/$name/venv"; exit 0 ;; # the container image is made from it
esac

start() {
  env GATEWAY_LISTEN="127.0.0.1:$1" LOCALSTACK_HOST="127.0.0.1:$1" \
    SERVICES=secretsmanager STRICT_SERVICE_LOADING=1 \
    DISABLE_EVENTS=1 SKIP_SSL_CERT_DOWNLOAD=1 DNS_ADDRESS=0 \
    FILESYSTEM_ROOT="$scratch/root" \
    "$cache/$name/venv/bin/python" -m localstack.runtime.main \
    >"$scratch/log" 2>&1 </dev/null &
  server_pid=$!
}

serve start /_localstack/health 60
export TOKENSTORE_TEST_AWS_ENDPOINT=http://127.0.0.1:$port
say "TOKENSTORE_TEST_AWS_ENDPOINT=$TOKENSTORE_TEST_AWS_ENDPOINT"
attend "$@"
