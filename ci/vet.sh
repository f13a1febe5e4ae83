#!/usr/bin/env bash
# go vet in every module, and for the library on every system that it supports,
# which also shows that it and its tests compile there.
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
