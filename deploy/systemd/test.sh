#!/usr/bin/env bash
# Checks the unit by systemd-analyze: that it can be loaded, and that it exposes no more than it
# did (systemd's own score, 0 to 10, less is better).
set -euo pipefail
cd "$(dirname "$0")"

# In tenths, as systemd-analyze counts it: what a node that listens on ports cannot do without.
readonly exposure_max=11

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
# A root with what the unit names, so that nothing of this machine is looked at or needed.
mkdir -p "$root"/{etc/systemd/system,usr/bin,usr/lib/systemd/system}
cp meridian@.service "$root/etc/systemd/system/"
ln -s usr/bin "$root/bin"
for program in meridian sh; do
    printf '#!/bin/sh\n' >"$root/usr/bin/$program"
    chmod +x "$root/usr/bin/$program"
done
for target in sysinit basic shutdown network-online time-sync multi-user; do
    printf '[Unit]\nDescription=%s\n' "$target" >"$root/usr/lib/systemd/system/$target.target"
done

said=$(systemd-analyze verify --root="$root" --man=no 'meridian@1.service' 2>&1) || {
    printf '%s\n' "$said" >&2
    exit 1
}
# What it only warns of, as of a key that it does not know, is a mistake too.
if grep -q 'meridian@' <<<"$said"; then
    printf '%s\n' "$said" >&2
    exit 1
fi
systemd-analyze security --offline=yes --root="$root" --threshold="$exposure_max" \
    --no-pager 'meridian@1.service' >"$root/security" || {
    cat "$root/security" >&2
    exit 1
}
echo "systemd: $(tail -n 1 "$root/security" | sed 's/^[^A-Za-z]*//')"
