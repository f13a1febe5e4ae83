#!/usr/bin/env bash
# Builds the tools of .ci/run into the cache: golangci-lint from ci/lint, gotestsum and
# summary from ci/tools. The modules pin the versions.
#
#   ci/tools.sh            build the tools that are missing
#   ci/tools.sh --folder   print the folder
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
. servers/lib.sh

build() {
  (cd lint && retry go mod download && go build -o "$1/golangci-lint" github.com/golangci/golangci-lint/v2/cmd/golangci-lint)
  (cd tools && retry go mod download && go build -o "$1/gotestsum" gotest.tools/gotestsum)
}

name=tools-$(digest tools/go.mod tools/go.sum lint/go.mod lint/go.sum)
[ "${1-}" != --folder ] || { echo "$cache/$name"; exit 0; }
once "$name" build
(cd tools && go build -o "$cache/$name/summary" .) # our own, so it may have changed
