#!/usr/bin/env bash
# Runs the README's commands that begin with `$ go run`, one after the other, and
# fails if one fails or prints something else than the README shows beneath it.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# A copy of what is checked in, since the commands write beside the sources.
git -C "$root" ls-files -z --cached --others --exclude-standard | tar -C "$root" --null -T - -c | tar -x -C "$work"
cd "$work"

# Each console block becomes N.sh, its command, and N.want, what is shown beneath.
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
[ "$count" -gt 0 ] || { echo "the README shows no command"; status=1; }
echo "$count commands"
exit "$status"
