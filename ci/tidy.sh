#!/usr/bin/env bash
# Fails if `go mod tidy` would change a module. Skips ci/vault: it holds only one tool,
# and tidying it downloads modules that only Vault's tests need.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. ci/servers/lib.sh
status=0
folders=$(ci/modules.sh --all)
for folder in $folders; do
  [ "$folder" != ci/vault ] || continue
  (cd "$folder" && retry go mod download && go mod tidy -diff) || { say "$folder: run go mod tidy"; status=1; }
done
exit "$status"
