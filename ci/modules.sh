#!/usr/bin/env bash
# Prints the folders of the repository's modules: the library, the integration
# tests, the examples; with --all also those of the tools in ci/. Callers assign
# what it prints before they go through it: a `for` would take a failure of it for
# a repository without modules.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
git ls-files --cached --others --exclude-standard -- go.mod '*/go.mod' | while read -r file; do
  case $file in
    */testdata/*) continue ;;
    ci/*) [ "${1-}" = --all ] || continue ;;
  esac
  dirname "$file"
done
