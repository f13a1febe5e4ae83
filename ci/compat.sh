#!/usr/bin/env bash
# Compares the exported API with that of the latest release (the newest tag reachable
# from HEAD, or $1) and fails if a change is incompatible. Before v1 incompatible
# changes are only shown.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. ci/servers/lib.sh

base=${1:-$(git describe --tags --abbrev=0 --match 'v*' 2>/dev/null || true)}
[ -n "$base" ] || { say "no release to compare with"; exit 0; }

apidiff() { go run golang.org/x/exp/cmd/apidiff@v0.0.0-20261113113407-e3970619a1a4 "$@"; }

scratch=$(mktemp -d)
trap 'git worktree remove --force "$scratch/base" 2>/dev/null; rm -rf "$scratch"' EXIT
git worktree add --quiet --detach "$scratch/base" "$base"
(cd "$scratch/base" && apidiff -m -w "$scratch/base.export" example.com/tokenstore)
apidiff -m -w "$scratch/head.export" example.com/tokenstore
apidiff -m "$scratch/base.export" "$scratch/head.export"
broken=$(apidiff -m -incompatible "$scratch/base.export" "$scratch/head.export")
if [ -n "$broken" ]; then
  say "incompatible with $base"
  [[ $base == v0.* ]] || exit 1
fi
