#!/bin/bash
# rotation.sh: all data keys of many persons rotate while others read and write: how long it takes, what it writes to
# the WAL, what readers and writers notice, and that no read failed and no write was lost.
#
# Brings up a durable cluster of its own, prints a table, writes it with machine, versions and date to
# test/output/bench/rotation.md, and takes the cluster down.
#
#   PERSONS=100000  persons, each with a data key in both lanes and a document; every tenth has one of the crisis lane too
#   LOAD=400        reads and writes a second, half of each, of persons chosen at random
#   DURATION=20     seconds of the load without a rotation, for comparison
#   DIR=…           folder of the cluster; default paws_rotation.<user> in the system's temporary folder
set -euo pipefail

. "$(dirname "$0")/../lib.sh"

persons=${PERSONS:-100000}
load=${LOAD:-400}
duration=${DURATION:-20}
dir=${DIR:-${TMPDIR:-/tmp}/paws_rotation.$(id -un)}
port=54359
output=$TOP/test/output/bench
here=$TOP/test/bench

find_postgres
work=$(mktemp -d)

finish() {
    local status=$?
    trap - EXIT INT TERM
    for job in $(jobs -p); do kill "$job" 2>/dev/null || true; done
    [ "$status" = 0 ] || ! [ -s "$work/log" ] || tail -n 20 "$work/log" >&2
    bash "$TOP/test/cluster.sh" down --dir "$dir" || true
    rm -rf -- "$work"
    exit "$status"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

conninfo="host=$dir port=$port dbname=paws user=postgres"
sql() { "$PG_BIN/psql" -X -A -t -q -v ON_ERROR_STOP=1 -d "$conninfo" -c "$1"; }
calc() { awk "BEGIN { printf \"%.${2:-1}f\", $1 }"; }
lsn() { sql "SELECT pg_current_wal_lsn() - '0/0'"; }
now() { date +%s.%N; }

# halves PROCEDURE: for both halves of the persons at once
halves() {
    local half=$((persons / 2)) other
    sql "CALL bench.$1(1, $half)" &
    other=$!
    sql "CALL bench.$1($half + 1, $persons)"
    wait "$other"
}

applied() { until [ "$(sql 'SELECT sum(depth) FROM paws_sync.pg_stat_paws_sync_lanes')" = 0 ]; do sleep 0.2; done; }

# Until bench.stopped says so: pgbench itself can only be told a time.
start_load() {
    local kind
    sql 'UPDATE bench.stopped SET stopped = false'
    sql 'CHECKPOINT'
    for kind in write read; do
        printf '\\set n random(1, %s)\nCALL bench.step(:n, %s)\n' "$persons" "$([ $kind = write ] && echo true || echo false)" >"$work/$kind"
        rm -f "$work/$kind".log.*
        "$PG_BIN/pgbench" -n -f "$work/$kind" -c 4 -R "$((load / 2))" -T 86400 -l --log-prefix="$work/$kind.log" "$conninfo" \
            >"$work/$kind.out" 2>"$work/$kind.err" &
    done
}

stop_load() {
    local kind
    sql 'UPDATE bench.stopped SET stopped = true'
    wait
    for kind in write read; do
        if grep 'ERROR' "$work/$kind.err" | grep -qv 'the load is stopped'; then
            cat "$work/$kind.err" >>"$work/log"
            die "the load failed"
        fi
    done
}

# percentiles KIND: p50, p99 and maximum, milliseconds from when it was due
percentiles() {
    cat "$work/$1".log.* | awk '{ print $3 / 1000 }' | sort -n |
        awk '{ v[NR] = $1 } END { printf "%.1f / %.1f / %.0f", v[int(NR * 0.5) + 1], v[int(NR * 0.99) + 1], v[NR] }'
}

row() { # LABEL SECONDS KEYS WAL
    printf '| %-34s | %7s | %8s | %8s | %-20s | %-20s |\n' "$1" "$2" "$3" "$4" "$(percentiles read)" "$(percentiles write)"
}

without_rotation() {
    local before began seconds
    start_load
    sleep 1
    before=$(lsn)
    began=$(now)
    sleep "$duration"
    seconds=$(calc "$(now) - $began" 3)
    wal_per_second=$(calc "($(lsn) - $before) / $seconds" 0)
    stop_load
    row 'no rotation' "$duration" '' ''
}

rotation() { # KIND RATE LABEL
    local before began seconds job
    sql "ALTER SYSTEM SET paws_sync.bulk_wal_rate = '$2'"
    sql 'SELECT pg_reload_conf()' >/dev/null
    start_load
    sleep 1
    before=$(lsn)
    began=$(now)
    job=$(sql "SELECT paws_sync.rotate_keys('$1')")
    until [ "$(sql "SELECT finished_at IS NOT NULL FROM paws_sync.pg_stat_progress_paws_sync_keys WHERE job = $job")" = t ]; do
        sleep 0.1
    done
    seconds=$(calc "$(now) - $began" 1)
    wal=$(calc "($(lsn) - $before - $seconds * $wal_per_second) / 1048576" 0)
    stop_load
    [ "$(sql "SELECT left_over FROM paws_sync.pg_stat_progress_paws_sync_keys WHERE job = $job")" = 0 ] || die "$1: keys are left over"
    row "$3" "$seconds" "$(sql "SELECT total FROM paws_sync.pg_stat_progress_paws_sync_keys WHERE job = $job")" "$wal"
}

results() {
    cat <<HEAD
# paws_sync $(built_version): rotation under load

$(date -u '+%Y-%m-%d %H:%M UTC'), $(nproc) cores ($(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)), Linux $(uname -r),
$("$PG_BIN/postgres" --version), pool_size $(sql 'SHOW paws_sync.pool_size'), fsync on, $persons persons with
$(sql 'SELECT count(*) FROM bench.written') documents of 287 bytes, collection \`layered\`; $((load / 2)) reads and $((load / 2)) writes a second.

| latencies in ms, p50 / p99 / max  | seconds | done     | WAL, MB  | pull                 | push                 |
|------------------------------------|---------|----------|----------|----------------------|----------------------|
HEAD
    without_rotation
    rotation epochs 32MB "'epochs'"
    rotation data_keys 32MB "'data_keys'"
    rotation epochs 1GB "'epochs', bulk_wal_rate 1 GB"
    rotation data_keys 1GB "'data_keys', bulk_wal_rate 1 GB"
    applied
    halves check
    cat <<FOOT

Done: keys that were wrapped anew, or persons who got new ones. WAL: beyond that of the load. Accepted operations: $(sql 'SELECT count(*) FROM bench.written').
Failed reads: $(sql 'SELECT last_value FROM bench.failed_reads'). Failed writes: $(sql 'SELECT last_value FROM bench.failed_writes'). Lost writes: $(sql 'SELECT last_value FROM bench.lost').
FOOT
}

bash "$TOP/test/cluster.sh" down --dir "$dir"
bash "$TOP/test/cluster.sh" up --dir "$dir" --port "$port" -c shared_buffers=1GB -c max_wal_size=8GB \
    -c checkpoint_timeout=30min -c synchronous_commit=on >/dev/null
"$PG_BIN/psql" -X -q -o /dev/null -d "$conninfo" -f "$here/rotation.sql"
say "writing for $persons persons"
halves fill
sql 'CREATE INDEX ON bench.written (n)'
sql 'VACUUM ANALYZE'
applied
say "rotating"
mkdir -p "$output"
results | tee "$output/rotation.md"
grep -q '^Failed reads: 0. Failed writes: 0. Lost writes: 0.$' "$output/rotation.md" || die "not everything could be read or written"
