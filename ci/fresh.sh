#!/usr/bin/env bash
# Runs the README's two commands as a new user does: in a fresh copy, with module
# and build caches that are empty at the start. Warm caches hide a test that asks
# for a module which the command itself does not download.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/tokenstore-fresh.XXXXXX")
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT # Go makes the module cache read-only.

mkdir "$work/copy"
git -C "$root" ls-files -z --cached --others --exclude-standard | tar -C "$root" --null -T - -c | tar -x -C "$work/copy"
export GOMODCACHE=$work/modules GOCACHE=$work/build
unset GOFLAGS # a new user has none; the copy is no repository, so nothing is stamped

command=$(sed -n 's/^\$ \(go test .*\)/\1/p' "$root/README.md")
[ "$(wc -l <<<"$command")" = 1 ] && [ -n "$command" ] || { echo "the README shows no test command, or several"; exit 1; }

cd "$work/copy"
git init -q . && git add -A # ci/readme.sh copies what git knows.
ci/readme.sh
echo "\$ $command"
bash -c "$command"
