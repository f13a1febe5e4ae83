#!/usr/bin/env bash
# Runs go vet in every module, and for the library on every supported system, which also
# shows that the library and its tests compile there.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
status=0
folders=$(ci/modules.sh)
for folder in $folders; do
  (cd "$folder" && go vet ./...) || status=1
done
for system in darwin windows; do
  echo "for $system"
  GOOS=$system GOARCH=arm64 CGO_ENABLED=0 go vet ./... || status=1
done
exit "$status"
