#!/usr/bin/env bash
# Prints the folders of the repository's modules: the library, the integration tests, the
# examples and the benchmarks; with --all also the tools in ci/. Callers must assign the
# output to a variable first: `for` over the command itself would ignore its failure.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
git ls-files --cached --others --exclude-standard -- go.mod '*/go.mod' | while read -r file; do
  case $file in
    */testdata/*) continue ;;
    ci/*) [ "${1-}" = --all ] || continue ;;
  esac
  dirname "$file"
done
