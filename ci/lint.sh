#!/usr/bin/env bash
# Runs golangci-lint in every module, with the root's configuration.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
status=0
folders=$(ci/modules.sh)
for folder in $folders ci/tools; do
  (cd "$folder" && golangci-lint run --allow-parallel-runners ./...) || status=1
done
exit "$status"
