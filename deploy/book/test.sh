#!/usr/bin/env bash
# Builds the book (docs/) and follows its links, with those of the alerts: as a reader's browser
# would, after mdbook has given pages and headings their names.
set -euo pipefail
cd "$(dirname "$0")"

mdbook=$(./tools)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$mdbook" build ../../docs --dest-dir "$work/book" >"$work/said" 2>&1 || {
    cat "$work/said" >&2
    exit 1
}
# What mdbook only warns of, as of an include that is not there, is a mistake too.
if grep -E 'WARN|ERROR' "$work/said" >&2; then exit 1; fi
python3 links.py "$work/book" ../prometheus/alerts.yml
