#!/usr/bin/env bash
# Fails if a Go file is not formatted with gofmt, or a script is not valid bash.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
unformatted=$(gofmt -l .)
if [ -n "$unformatted" ]; then
  printf 'not formatted with gofmt:\n%s\n' "$unformatted"
  exit 1
fi
scripts=$(git ls-files --cached --others --exclude-standard -- .ci/run '*.sh')
for script in $scripts; do
  bash -n "$script"
done
