#!/usr/bin/env bash
# Runs the README's two commands as a new user would: in a fresh copy, starting with
# empty module and build caches. Warm caches hide tests that need a module that the
# command itself does not download.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/tokenstore-fresh.XXXXXX")
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT # Go makes the module cache read-only.

mkdir "$work/copy"
git -C "$root" ls-files -z --cached --others --exclude-standard | tar -C "$root" --null -T - -c | tar -x -C "$work/copy"
export GOMODCACHE=$work/modules GOCACHE=$work/build
unset GOFLAGS # a new user has none; the copy is not a clone, so no version is stamped

command=$(sed -n 's/^\$ \(go test .*\)/\1/p' "$root/README.md")
[ "$(wc -l <<<"$command")" = 1 ] && [ -n "$command" ] || { echo "README.md must have exactly one line that begins with \$ go test"; exit 1; }

cd "$work/copy"
git init -q . && git add -A # ci/readme.sh copies the files that git tracks.
ci/readme.sh
echo "\$ $command"
bash -c "$command"
