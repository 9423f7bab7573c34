#!/bin/bash
# vault.sh: what sealing costs a push, beside a build of the same library that seals nothing.
#
# Builds both in copies of the tree, brings up a durable cluster for each on a private copy of the server (the
# installed one is not touched), runs the same load on both in alternating rounds, and prints a table. Then
# the crisis lane's latencies on the sealed one: warm, right after its keys were rotated, and at the ceiling.
#
#   DURATION=5  seconds of each timed run      ROUNDS=5  alternations; ratios are medians of the rounds' ratios
set -euo pipefail

. "$(dirname "$0")/../lib.sh"

duration=${DURATION:-5}
rounds=${ROUNDS:-5}
port=54349
here=$TOP/test/bench
unset SERVER_ROOT

work=$(mktemp -d "${TMPDIR:-/tmp}/paws_vault.XXXXXX")
chmod 0755 "$work"
values=$work/values

finish() {
    local status=$? kind
    trap - EXIT INT TERM
    [ "$status" = 0 ] || ! [ -s "$work/log" ] || tail -n 20 "$work/log" >&2
    for kind in sealed unsealed; do
        [ ! -d "$work/$kind/tree" ] || SERVER_ROOT=$work/$kind/server bash "$work/$kind/tree/test/cluster.sh" down --dir "$work/$kind/cluster" || true
    done
    rm -rf -- "$work"
    exit "$status"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

find_postgres

prepare() { # KIND MAKE-ARGUMENTS
    local kind=$1
    shift
    mkdir -p "$work/$kind/tree"
    tar -C "$TOP" --exclude=./.git --exclude='*.o' --exclude=./paws_sync.so --exclude=./test/output -cf - . |
        tar -C "$work/$kind/tree" -xf -
    make -s -C "$work/$kind/tree" -j "$(nproc)" "$@" all >>"$work/log" 2>&1 || die "the $kind build failed"
    make -s -C "$work/$kind/tree" "$@" DESTDIR="$work/$kind/server" install >>"$work/log" 2>&1
    SERVER_ROOT=$work/$kind/server bash "$work/$kind/tree/test/cluster.sh" up --no-build --dir "$work/$kind/cluster" \
        --port "$port" -c shared_buffers=512MB -c max_wal_size=4GB -c checkpoint_timeout=30min >/dev/null
    "$PG_BIN/psql" -X -q -o /dev/null -d "$(conninfo "$kind")" -f "$here/setup.sql" \
        -c "SELECT paws_sync.define_collection('bench_layered', 'interactive', sealing => 'layered')" \
        -c "SELECT paws_sync.define_collection('bench_standard', 'interactive', sealing => 'standard', compressible => false)" \
        -c "SELECT paws_sync.define_collection('bench_aes', 'interactive', sealing => 'aes', compressible => false)"
}

conninfo() { echo "host=$work/$1/cluster port=$port dbname=paws user=postgres"; }
sql() { "$PG_BIN/psql" -X -A -t -q -v ON_ERROR_STOP=1 -d "$(conninfo "$1")" -c "$2"; }

# 1 KiB, as hexadecimal digits for a bytea and as base64 for JSON.
hex="\\x$(head -c 1024 /dev/zero | tr '\0' 'm' | od -An -v -tx1 | tr -d ' \n')"
base64=$(head -c 1024 /dev/zero | tr '\0' 'm' | base64 -w 0)

write_scripts() {
    local sealing uuids='(SELECT array_agg(gen_random_uuid()) FROM generate_series(1, 100))'
    cat >"$work/pick" <<'PICK'
\set again random(1, 25)
\if :again = 1 or :known = 0
\set n random(1, 1000)
SELECT device FROM bench.device WHERE n = :n \gset
\set known 1
\endif
PICK
    for sealing in layered standard aes; do
        { cat "$work/pick"; cat <<PUSH
SELECT outcome FROM paws_sync.push(:device, jsonb_build_array(jsonb_build_object('op_id', gen_random_uuid(),
    'collection', 'bench_$sealing', 'doc_id', gen_random_uuid(), 'base_revision', 0, 'payload', :base64::text)))
PUSH
        } >"$work/push_$sealing"
        { cat "$work/pick"; cat <<PUSH
SELECT count(*) FROM paws_sync.push_many(:device, $uuids, array_fill('bench_$sealing'::text, ARRAY[100]), $uuids,
    array_fill(0::bigint, ARRAY[100]), array_fill(:hex::bytea, ARRAY[100]))
PUSH
        } >"$work/push_many_$sealing"
    done
}

load() { # KIND SCRIPT CLIENTS: transactions a second
    "$PG_BIN/pgbench" -n -M prepared -f "$work/$2" -c "$3" -j 2 -D "hex=$hex" -D "base64=$base64" -D known=0 \
        -T "$duration" "$(conninfo "$1")" >"$work/out" 2>>"$work/log" || { cat "$work/out" >&2; die "pgbench of $2 failed"; }
    awk '/^tps = / { print $3 }' "$work/out"
}

measured() { printf '%s %s %s\n' "$1" "$2" "$3" >>"$values"; }

compare() { # ROUND SCRIPT CLIENTS
    local kind order='sealed unsealed'
    [ $(($1 % 2)) = 0 ] || order='unsealed sealed'
    for kind in $order; do
        measured "$2.$kind" "$1" "$(load "$kind" "$2" "$3")"
        sql "$kind" 'CALL bench.drain()' >/dev/null
    done
}

median() { awk -v name="$1" '$1 == name { print $3 }' "$values" | sort -n |
    awk '{ v[NR] = $1 } END { print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'; }

# Median, lowest and highest of the rounds' ratios.
ratio() {
    awk -v a="$1.sealed" -v b="$1.unsealed" '$1 == a { x[$2] = $3 } $1 == b { y[$2] = $3 }
        END { for (i in x) print x[i] / y[i] }' "$values" | sort -n |
        awk '{ v[NR] = $1 } END { m = NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2
            printf "%.2f (%.2f to %.2f)", m, v[1], v[NR] }'
}

row() { # LABEL NAME FACTOR
    printf '| %-46s | %9.0f | %9.0f | %-21s |\n' "$1" "$(awk "BEGIN { print $3 * $(median "$2.unsealed") }")" \
        "$(awk "BEGIN { print $3 * $(median "$2.sealed") }")" "$(ratio "$2")"
}

for kind in sealed unsealed; do
    say "building and starting: $kind"
    prepare "$kind" $([ "$kind" = sealed ] || echo UNSEALED=1)
done
# first, while there is little to seal anew
say "latencies of the crisis lane"
cc -O2 -I"$("$PG_CONFIG" --includedir)" -o "$work/crisis" "$here/crisis_seal.c" -L"$("$PG_CONFIG" --libdir)" -lpq 2>>"$work/log"
"$work/crisis" "$(conninfo sealed)" >"$work/crisis.out"

write_scripts
for ((round = 1; round <= rounds; round++)); do
    say "round $round of $rounds"
    for sealing in layered standard aes; do
        compare "$round" "push_$sealing" 16
        compare "$round" "push_many_$sealing" 4
    done
done
SERVER_ROOT=$work/unsealed/server bash "$work/unsealed/tree/test/cluster.sh" down --dir "$work/unsealed/cluster"

cat <<HEAD
paws_sync $(built_version), $(date -u '+%Y-%m-%d %H:%M UTC'), $(nproc) cores, $("$PG_BIN/postgres" --version), payloads of 1 KiB,
$rounds alternating rounds of $duration s, workers running.

| operations a second                            |  unsealed |    sealed | ratio (range)         |
|------------------------------------------------|-----------|-----------|-----------------------|
HEAD
row 'push of one, 16 clients, layered (0x12)' push_layered 1
row 'push of one, 16 clients, standard (0x01)' push_standard 1
row 'push of one, 16 clients, aes (0x02)' push_aes 1
row 'push_many of 100, 4 clients, layered (0x12)' push_many_layered 100
row 'push_many of 100, 4 clients, standard (0x01)' push_many_standard 100
row 'push_many of 100, 4 clients, aes (0x02)' push_many_aes 100

cat <<HEAD

| crisis lane, ms                                |    n |    p50 |    p99 |    max |
|------------------------------------------------|------|--------|--------|--------|
HEAD
cat "$work/crisis.out"
