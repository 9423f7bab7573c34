#!/bin/bash
# loaded.sh INSTALLED BUILT
#
# Prints one line for every running server that has the library INSTALLED loaded with a content other than
# BUILT, leaving out throw-away clusters and test runs of ours (known by the marker in a parent of their
# data directory). Needs root to see the processes of other users.
set -euo pipefail

. "$(dirname "$0")/lib.sh"

installed=$1
built=$2

throw_away() {
    local dir=$1
    while [ "$dir" != / ] && [ -n "$dir" ] && [ "$dir" != . ]; do
        [ -f "$dir/$MARKER" ] && return 0
        dir=$(dirname "$dir")
    done
    return 1
}

# A replaced file stays mapped under its old name with " (deleted)" behind it.
for maps in $(grep -ls "/paws_sync\.so" /proc/[0-9]*/maps 2>/dev/null); do
    pid=${maps#/proc/}
    pid=${pid%/maps}
    line=$(grep -m 1 -E " $installed( \(deleted\))?\$" "$maps" 2>/dev/null) || continue
    data=$(readlink "/proc/$pid/cwd" 2>/dev/null) || continue
    throw_away "$data" && continue
    if [[ $line == *"(deleted)" ]]; then
        cmp -s "/proc/$pid/map_files/${line%% *}" "$built" && continue
    else
        cmp -s "$installed" "$built" && continue
    fi
    printf 'data directory %s\n' "$data"
done | sort -u
