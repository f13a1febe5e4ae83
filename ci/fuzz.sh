#!/usr/bin/env bash
# Runs every fuzz target of the library for a while, six at a time.
#
#   ci/fuzz.sh [TIME]           TIME as for go test -fuzztime; the default is 60s
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export FUZZTIME=${1:-60s}

# targets prints "package name" for each fuzz target: go test lists a package's
# names and then its path, as in "ok  path  0.01s".
targets() {
  go test -vet=off -list '^Fuzz' ./... | awk '
    /^Fuzz/ { names[++n] = $1; next }
    $1 == "ok" { for (i = 1; i <= n; i++) print $2, names[i] }
    { n = 0 }'
}

# fuzz PACKAGE NAME. When the time is up, Go's coordinator sometimes reports "context
# deadline exceeded" without a failing input; the target is then run again.
fuzz() {
  local log status try
  log=$(mktemp)
  for try in 1 2 3; do
    status=0
    go test -vet=off -run='^$' -fuzz="^$2\$" -fuzztime="$FUZZTIME" -parallel=1 "$1" >"$log" 2>&1 || status=$?
    [ "$status" -ne 0 ] && grep -q 'context deadline exceeded' "$log" && ! grep -q 'Failing input' "$log" || break
  done
  if [ "$status" -eq 0 ]; then
    echo "ok    $1 $2: $(grep -o 'execs: [0-9]*' "$log" | tail -n 1)"
  else
    echo "FAIL  $1 $2"
    cat "$log"
  fi
  rm -f "$log"
  return "$status"
}
export -f fuzz

list=$(targets)
[ -n "$list" ] || { echo "no fuzz targets"; exit 0; }
echo "$list" | xargs -P 6 -n 2 bash -c 'fuzz "$0" "$1"'
