#!/bin/bash
# run.sh [TARGET...]: libFuzzer with the address and undefined-behaviour sanitizers over the fuzz targets of this
# folder, all of them by default. Prints TAP and ends with "N passed, N failed". What crashed is kept in
# test/output/fuzz/TARGET, what was found in test/output/fuzz/TARGET/corpus; the inputs in corpus/TARGET are
# what each run begins with, and are not changed.
#
#   FUZZ_SECONDS=60   for each target
#   FUZZ_MERGE=1      afterwards corpus/TARGET becomes the smallest set that reaches as much
set -euo pipefail

. "$(dirname "$0")/../lib.sh"
cd "$TOP"

seconds=${FUZZ_SECONDS:-60}
here=test/fuzz
output=test/output/fuzz
compiler=clang-14
command -v "$compiler" >/dev/null || die "no $compiler; run \"make fuzz\", which installs it"

targets=("$@")
if [ ${#targets[@]} = 0 ]; then
    mapfile -t targets < <(find $here -maxdepth 1 -name '*.c' ! -name replay.c -printf '%f\n' | sed 's/\.c$//' | sort)
fi
[ ${#targets[@]} -gt 0 ] || die "there are no fuzz targets"
read -r -a sources <<<"$(make -s print-UNIT_SOURCES)"

passed=0
failed=0
verdict() { # STATUS TEXT
    if [ "$1" = 0 ]; then
        passed=$((passed + 1))
        echo "ok - $2"
    else
        failed=$((failed + 1))
        echo "not ok - $2"
    fi
}

for target in "${targets[@]}"; do
    work=$output/$target
    mkdir -p "$work/corpus" "$here/corpus/$target"
    if ! "$compiler" -std=gnu11 -g -O1 -Isrc -I$here -fno-omit-frame-pointer -fsanitize=fuzzer,address,undefined \
        -fno-sanitize-recover=all -o "$work/$target" "${sources[@]}" "$here/$target.c" -lsodium -llz4 -lzstd -lm; then
        verdict 1 "$target compiles"
        continue
    fi
    status=0
    "$work/$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -max_len=8192 -print_final_stats=1 \
        -artifact_prefix="$work/" "$work/corpus" "$here/corpus/$target" >"$work/log" 2>&1 || status=$?
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$work/log")
    edges=$(grep -oE 'cov: [0-9]+' "$work/log" | tail -n 1)
    if [ "$status" != 0 ]; then
        tail -n 40 "$work/log" | sed 's/^/# /'
    elif [ "${runs:-0}" -lt 1000 ]; then
        echo "# only ${runs:-0} inputs were tried"
        status=1
    fi
    verdict "$status" "$target: ${runs:-0} inputs in $seconds s, ${edges:-cov: 0}"
    if [ "$status" = 0 ] && [ "${FUZZ_MERGE:-}" = 1 ]; then
        mv "$here/corpus/$target" "$work/before"
        mkdir "$here/corpus/$target"
        "$work/$target" -merge=1 -max_len=2048 "$here/corpus/$target" "$work/before" "$work/corpus" >>"$work/log" 2>&1
        rm -rf -- "$work/before"
    fi
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
