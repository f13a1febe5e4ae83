#!/usr/bin/env bash
# Builds the tools of the check into a folder: golangci-lint from ci/lint;
# gotestsum, and summary, from ci/tools. Their modules pin their versions.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
. servers/lib.sh

build() {
  (cd lint && retry go mod download && go build -o "$1/golangci-lint" github.com/golangci/golangci-lint/v2/cmd/golangci-lint)
  (cd tools && retry go mod download && go build -o "$1/gotestsum" gotest.tools/gotestsum)
}

folder=${1:?usage: ci/tools.sh FOLDER below the cache}
once "${folder#"$cache"/}" build
(cd tools && go build -o "$folder/summary" .) # our own: it may have changed
