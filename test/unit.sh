#!/bin/bash
# unit.sh: compiles the sources that know nothing of the server (UNIT_SOURCES of the Makefile) under the address
# and undefined-behaviour sanitizers, with test/unit/*.c into one program, and with each fuzz target into one
# that runs over its corpus; and runs them all: TAP.
#
#   WYCHEPROOF=DIR   also tries the vectors of project Wycheproof in this folder (see test/unit/published.py)
set -uo pipefail

. "$(dirname "$0")/lib.sh"

cd "$TOP" || exit 1
compgen -G 'test/unit/*.c' >/dev/null || exit 0
build=$(mktemp -d)
trap 'rm -rf "$build"' EXIT
python=/usr/bin/python3
flags=(-std=gnu11 -g -O1 -Isrc -Itest/unit -Itest/fuzz -Wall -Wextra -Wswitch-enum -Werror=switch-enum
       -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all)
libraries=(-lsodium -llz4 -lzstd -lm)
[ -z "${CI:-}" ] || flags+=(-Werror)
status=0

not_ok() {
    echo "not ok - $1"
    status=1
}

objects=()
compile_sources() {
    local source object
    for source in $(make -s print-UNIT_SOURCES); do
        object=$build/$(echo "$source" | tr / _).o
        objects+=("$object")
        "${CC:-gcc}" "${flags[@]}" -c -o "$object" "$source" || return 1
    done
}

# The known answers are those that the other implementation gives, not what ours gave once.
known_answers() {
    if "$python" test/unit/vectors.py >"$build/known.inc" && diff -q "$build/known.inc" test/unit/known_envelopes.inc; then
        echo "ok - known_envelopes.inc is what vectors.py prints"
    else
        not_ok "known_envelopes.inc is what vectors.py prints"
    fi
}

# The runner counts a crash or a sanitizer's report by the exit status and by the plan.
unit_tests() {
    if ! "${CC:-gcc}" "${flags[@]}" -Wl,--wrap=crypto_aead_aes256gcm_is_available -o "$build/unit" "${objects[@]}" \
        test/unit/*.c "${libraries[@]}"; then
        not_ok "the unit tests compile"
        return
    fi
    "$python" test/unit/published.py >"$build/vectors" || not_ok "published.py finds the published vectors"
    PAWS_VECTORS=$build/vectors timeout -k 5 200 "$build/unit" || status=1
}

replay_corpora() {
    local target inputs
    for target in test/fuzz/*.c; do
        target=$(basename "$target" .c)
        [ "$target" != replay ] || continue
        if ! "${CC:-gcc}" "${flags[@]}" -o "$build/$target" "${objects[@]}" "test/fuzz/$target.c" test/fuzz/replay.c \
            "${libraries[@]}"; then
            not_ok "the fuzz target $target compiles"
        elif inputs=$(timeout -k 5 60 "$build/$target" "test/fuzz/corpus/$target" 2>"$build/log"); then
            echo "ok - the fuzz target $target takes the $inputs inputs of its corpus"
        else
            tail -n 40 "$build/log" | sed 's/^/# /'
            not_ok "the fuzz target $target takes the inputs of its corpus"
        fi
    done
}

if ! compile_sources; then
    not_ok "the sources of the unit tests compile"
    exit 1
fi
known_answers
unit_tests
replay_corpora
exit "$status"
