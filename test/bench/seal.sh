#!/bin/bash
# seal.sh: what sealing and opening an envelope costs in each suite, beside the bare cipher; no server. Prints a
# table and writes it to test/output/bench/seal.md and .json.
#
#   SEAL_ROUNDS=15   alternations; figures are medians of the rounds
#   SEAL_TIME=5      milliseconds for each figure in each round
set -euo pipefail

. "$(dirname "$0")/../lib.sh"
cd "$TOP"

rounds=${SEAL_ROUNDS:-15}
time=${SEAL_TIME:-5}
output=$TOP/test/output/bench
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

read -r -a sources <<<"$(make -s print-UNIT_SOURCES)"
"${CC:-gcc}" -std=gnu11 -O2 -Isrc -o "$work/seal" "${sources[@]}" test/bench/seal.c -lsodium -llz4 -lzstd -lm
"$work/seal" "$rounds" "$time" >"$work/values"

# us NAME SIZE COLUMN: microseconds, "-" if it was not measured.
us() {
    awk -v name="$1" -v size="$2" -v column="$3" '
        $1 == name && $2 == size { value = column == 5 ? $3 + $4 : $column; printf "%.*f", value < 1e5 ? 2 : 0, value / 1000; found = 1 }
        END { if (!found) printf "-" }' "$work/values"
}

row() { # LABEL NAME
    local size
    printf '| %-44s |' "$1"
    for size in 256 1024 65536 1048576; do
        printf ' %6s + %6s |' "$(us "$2" $size 3)" "$(us "$2" $size 4)"
    done
    printf ' %11s |\n' "$(us "$2" 1024 5)"
}

results() {
    cat <<HEAD
Microseconds of processor time to seal + open (median of $rounds rounds), $(nproc) cores ($(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)),
libsodium $(dpkg-query -W -f='${Version}' libsodium23 2>/dev/null || echo of unknown version).

| suite                                        |           256 B |           1 KiB |          64 KiB |           1 MiB | 1 KiB, both |
|----------------------------------------------|-----------------|-----------------|-----------------|-----------------|-------------|
HEAD
    row 'bare XChaCha20-Poly1305, random nonce' bare
    row '0x01 XChaCha20-Poly1305 (aim: 5)' 0x01
    row '0x02 AES-256-GCM' 0x02
    row '0x12 AES-256-GCM around 0x01 (aim: 10)' 0x12
    row '0x03 sealed to a public key (aim: 200)' 0x03
    row '0x13 AES-256-GCM around 0x03 (aim: 200)' 0x13
    row 'compress + restore, lz4 level 1' lz4-1
    row 'compress + restore, zstd level 3' zstd-3
}

mkdir -p "$output"
results | tee "$output/seal.md"
awk 'BEGIN { printf "{\"nanoseconds\": [" } { printf "%s\n  {\"suite\": \"%s\", \"bytes\": %s, \"seal\": %s, \"open\": %s}", (NR > 1 ? "," : ""), $1, $2, $3, $4 }
    END { print "\n]}" }' "$work/values" >"$output/seal.json"
