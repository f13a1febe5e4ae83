#!/usr/bin/env bash
# Runs the README's commands that begin with `$ go run`, in order. Fails if one of them
# fails, or if its output differs from the output in the README.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Works on a copy of the tracked files, since the commands write files.
git -C "$root" ls-files -z --cached --others --exclude-standard | tar -C "$root" --null -T - -c | tar -x -C "$work"
cd "$work"

# Each console block becomes N.sh, the command, and N.want, its output.
mkdir -p out
awk '
  /^```console$/ { inside = 1; next }
  /^```/ { inside = 0; out = ""; next }
  inside && /^\$ go run / { n++; out = "out/" n ".want"; print substr($0, 3) > ("out/" n ".sh"); printf "" > out; next }
  inside && /^\$ / { out = ""; next }
  inside && out != "" { print > out }' README.md

status=0 count=0
while [ -e "out/$((count + 1)).sh" ]; do
  count=$((count + 1))
  echo "\$ $(cat "out/$count.sh")"
  bash "out/$count.sh" >"out/$count.got" || { echo "failed"; status=1; }
  diff -u --label README.md --label output "out/$count.want" "out/$count.got" || status=1
done
[ "$count" -gt 0 ] || { echo "README.md has no command that begins with \$ go run; add one"; status=1; }
echo "$count commands"
exit "$status"
