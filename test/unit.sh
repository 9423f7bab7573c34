#!/bin/bash
# unit.sh: compiles test/unit/*.c with the sources that know nothing of the server (UNIT_SOURCES of the
# Makefile) into one program under the address and undefined-behaviour sanitizers, and runs it: TAP.
set -uo pipefail

. "$(dirname "$0")/lib.sh"

cd "$TOP" || exit 1
read -r -a sources <<<"$(make -s print-UNIT_SOURCES)"
build=$(mktemp -d)
trap 'rm -rf "$build"' EXIT
flags=(-std=gnu11 -g -O1 -Isrc -Itest/unit -Wall -Wextra -Wswitch-enum -Werror=switch-enum -fno-omit-frame-pointer
       -fsanitize=address,undefined -fno-sanitize-recover=all)
[ -z "${CI:-}" ] || flags+=(-Werror)

compgen -G 'test/unit/*.c' >/dev/null || exit 0
if ! "${CC:-gcc}" "${flags[@]}" -o "$build/unit" "${sources[@]}" test/unit/*.c -lsodium -llz4 -lzstd -lm; then
    echo "not ok - the unit tests compile"
    exit 1
fi
# The runner counts a crash or a sanitizer's report by the exit status and by the plan.
timeout -k 5 200 "$build/unit"
