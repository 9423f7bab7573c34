#!/bin/bash
# run.sh [seal]: throughput and latency beside bare statements of the same row size, in alternating rounds; with
# "seal" only what sealing costs (seal.sh), which is otherwise the last part.
#
# Brings up a durable cluster of its own, measures, prints a table, writes it with machine, versions and date
# to test/output/bench/results.md and .json, and takes the cluster down.
#
#   DURATION=5     seconds of each timed run
#   ROUNDS=3       alternations; figures are medians of the rounds, ratios medians of each round's ratio
#   PREFILL=50000  operations that wait when claim and apply begin
#   BACKLOG=100000 background operations that wait while urgent ones are measured
#   DIR=…          folder of the cluster; default paws_bench.<user> in the system's temporary folder
set -euo pipefail

. "$(dirname "$0")/../lib.sh"

if [ "${1:-}" = seal ]; then
    exec bash "$TOP/test/bench/seal.sh"
fi

duration=${DURATION:-5}
rounds=${ROUNDS:-3}
prefill=${PREFILL:-50000}
backlog=${BACKLOG:-100000}
dir=${DIR:-${TMPDIR:-/tmp}/paws_bench.$(id -un)}
port=54339
output=$TOP/test/output/bench
here=$TOP/test/bench

find_postgres
work=$(mktemp -d)
values=$work/values

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

# What an operation carries: 287 bytes, as hexadecimal digits for a bytea and as base64 for JSON.
payload_hex="\\x$(head -c 287 /dev/zero | tr '\0' 'm' | od -An -v -tx1 | tr -d ' \n')"
payload_base64=$(head -c 287 /dev/zero | tr '\0' 'm' | base64 -w 0)

conninfo="host=$dir port=$port dbname=paws user=postgres"
sql() { "$PG_BIN/psql" -X -A -t -q -v ON_ERROR_STOP=1 -d "$conninfo" -c "$1"; }

measured() { printf '%s %s %s\n' "$1" "$2" "$3" >>"$values"; }
get() { awk -v name="$1" -v round="$2" '$1 == name && $2 == round { print $3 }' "$values"; }

# scripts: what pgbench runs. A client keeps a device for 25 transactions on average, then takes another.
write_scripts() {
    local uuids='(SELECT array_agg(gen_random_uuid()) FROM generate_series(1, 100))'

    pick() {
        cat <<PICK
\\set again random(1, 25)
\\if :again = 1 or :known = 0
\\set n random($1, $2)
SELECT device FROM bench.device WHERE n = :n \\gset
\\set known 1
\\endif
PICK
    }
    push_many() {
        cat <<PUSH
SELECT count(*) FROM paws_sync.push_many(:device, $uuids, array_fill('$1'::text, ARRAY[100]), $uuids,
    array_fill(0::bigint, ARRAY[100]), array_fill(:hex::bytea, ARRAY[100]))
PUSH
    }
    push_one() {
        cat <<PUSH
SELECT outcome FROM paws_sync.push(:device, jsonb_build_array(jsonb_build_object('op_id', gen_random_uuid(),
    'collection', 'bench_interactive', 'doc_id', gen_random_uuid(), 'base_revision', 0, 'payload', :base64::text)))
PUSH
    }
    echo 'INSERT INTO bench.bare (payload) VALUES (:hex::bytea)' >"$work/bare_insert"
    echo 'INSERT INTO bench.bare (payload) SELECT :hex::bytea FROM generate_series(1, 100)' >"$work/bare_insert_100"
    cat >"$work/bare_delete_100" <<'DELETE'
DELETE FROM bench.bare_queue WHERE id = ANY (ARRAY(SELECT id FROM bench.bare_queue ORDER BY id LIMIT 100
    FOR UPDATE SKIP LOCKED)) RETURNING id, payload
DELETE
    { pick 1 1000; push_one; } >"$work/push"
    { pick 1001 1100; push_one; } >"$work/push_basic"
    { pick 1 1000; push_many bench_interactive; } >"$work/push_many"
    { pick 1 1000; push_many bench_background; } >"$work/push_background"
    # keeps the backlog at its size
    {
        pick 1 1000
        echo "SELECT (bench.waiting() < $backlog)::integer AS more \\gset"
        echo '\if :more = 1'
        push_many bench_background
        echo '\else'
        echo '\sleep 10 ms'
        echo '\endif'
    } >"$work/feed_background"
}

# load SCRIPT CLIENTS OPTIONS...: transactions a second
load() {
    local script=$1 clients=$2
    shift 2
    "$PG_BIN/pgbench" -n -M prepared -f "$work/$script" -c "$clients" -j 2 -D "hex=$payload_hex" \
        -D "base64=$payload_base64" -D known=0 "$@" "$conninfo" >"$work/$script.out" 2>>"$work/log" ||
        { cat "$work/$script.out" >&2; die "pgbench of $script failed"; }
    awk '/^tps = / { print $3 }' "$work/$script.out"
}

transactions() { awk '/^number of transactions actually processed/ { split($NF, n, "/"); print n[1] }' "$work/$1.out"; }

workers() {
    sql "ALTER SYSTEM SET paws_sync.databases = '$([ "$1" = on ] && echo paws)'"
    sql 'SELECT pg_reload_conf()' >/dev/null
    [ "$1" = off ] || return 0
    until [ "$(sql 'SELECT count(*) FROM paws_sync.pg_stat_paws_sync_workers WHERE database IS NOT NULL')" = 0 ]; do
        sleep 0.1
    done
}

calc() { awk "BEGIN { printf \"%.${2:-1}f\", $1 }"; }
lsn() { sql "SELECT pg_current_wal_lsn() - '0/0'"; }

# Single operations, 16 clients.
single_rows() {
    local round=$1 before began

    before=$(lsn)
    measured bare_insert "$round" "$(load bare_insert 16 -T "$duration")"
    measured bare_insert_wal "$round" "$(calc "($(lsn) - $before) / $(transactions bare_insert)")"

    before=$(lsn)
    began=$(date +%s.%N)
    measured push "$round" "$(load push 16 -T "$duration")"
    sql 'CALL bench.drain()' >/dev/null
    measured push_applied "$round" "$(calc "$(transactions push) / ($(date +%s.%N) - $began)")"
    measured push_wal "$round" "$(calc "($(lsn) - $before) / $(transactions push)")"

    workers off
    measured push_paused "$round" "$(load push 16 -T "$duration")"
    workers on
    sql 'CALL bench.drain()' >/dev/null
}

# Sets of 100, 4 clients; what they leave is what claim and apply work on.
sets_of_rows() {
    local round=$1 before runs=$((prefill / 400)) written turns left

    measured bare_insert_100 "$round" "$(calc "100 * $(load bare_insert_100 4 -T "$duration")")"
    measured push_many "$round" "$(calc "100 * $(load push_many 4 -T "$duration")")"
    sql 'CALL bench.drain()' >/dev/null

    workers off
    before=$(lsn)
    measured push_many_paused "$round" "$(calc "100 * $(load push_many 4 -t "$runs")")"
    written=$(($(lsn) - before))

    sql 'TRUNCATE bench.bare_queue'
    sql "INSERT INTO bench.bare_queue (payload) SELECT '$payload_hex' FROM generate_series(1, $((runs * 400)))"
    sql 'VACUUM ANALYZE bench.bare_queue'
    before=$(lsn)
    turns=$(load bare_delete_100 4 -t "$runs")
    left=$(sql 'SELECT count(*) FROM bench.bare_queue')
    measured bare_delete_100 "$round" "$(calc "$turns * ($runs * 400 - $left) / ($runs * 4)")"
    measured bare_delete_wal "$round" "$(calc "($(lsn) - $before) / ($runs * 400)")"

    before=$(lsn)
    workers on
    measured apply "$round" "$(sql 'CALL bench.drain()')"
    measured push_many_wal "$round" "$(calc "($written + $(lsn) - $before) / ($runs * 400)")"
}

# The same while another session keeps its snapshot: nothing that is finished can be cleaned away.
with_old_snapshot() {
    local round=$1 runs=$((prefill / 400)) holder

    coproc HOLDER { "$PG_BIN/psql" -X -A -t -q -d "$conninfo"; }
    holder=$HOLDER_PID
    echo "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM bench.device;" >&"${HOLDER[1]}"
    read -r _ <&"${HOLDER[0]}"
    load push_many 4 -t "$runs" >/dev/null
    sql 'CALL bench.drain()' >/dev/null
    workers off
    load push_many 4 -t "$runs" >/dev/null
    workers on
    measured apply_old_snapshot "$round" "$(sql 'CALL bench.drain()')"
    echo '\q' >&"${HOLDER[1]}"
    wait "$holder" || true
}

latency_when_empty() {
    local name count p50 p99 max

    cc -O2 -I"$("$PG_CONFIG" --includedir)" -o "$work/visible" "$here/visible.c" \
        -L"$("$PG_CONFIG" --libdir)" -lpq 2>>"$work/log"
    "$work/visible" "$conninfo" $((100 * duration)) "$payload_hex" >"$work/visible.out"
    while read -r name count p50 p99 max; do
        measured "$name.p50" 1 "$(calc "$p50 / 1000" 3)"
        measured "$name.p99" 1 "$(calc "$p99 / 1000" 3)"
        measured "$name.max" 1 "$(calc "$max / 1000" 3)"
    done <"$work/visible.out"
}

# Urgent operations while the pool has its hands full with background ones, and more of them come.
latency_under_backlog() {
    local seconds=$((2 * duration)) class tier count p50 p99 max attainment before after

    workers off
    load push_background 4 -t "$((backlog / 400))" >/dev/null
    workers on
    until [ "$(sql 'SELECT bench.waiting()')" -lt $((backlog - 400)) ]; do sleep 0.1; done
    load feed_background 2 -T $((seconds + 2)) >/dev/null &
    load push_basic 2 -R 100 -T $((seconds + 1)) >/dev/null &
    before=$(sql 'SELECT paws_sync.stat_reset()' >/dev/null; sql 'SELECT bench.waiting()')
    load push 4 -R 200 -T "$seconds" >/dev/null
    after=$(sql 'SELECT bench.waiting()')
    while IFS='|' read -r class tier count p50 p99 max attainment; do
        measured "backlog_$class.$tier.count" 1 "$count"
        measured "backlog_$class.$tier.p50" 1 "$p50"
        measured "backlog_$class.$tier.p99" 1 "$p99"
        measured "backlog_$class.$tier.max" 1 "$max"
        measured "backlog_$class.$tier.attainment" 1 "$attainment"
    done < <(sql "SELECT class, tier, count, round(p50::numeric, 1), round(p99::numeric, 1), round(max::numeric, 1),
        round(attainment::numeric, 4) FROM paws_sync.pg_stat_paws_sync_latency
        WHERE count > 0 AND class IN ('interactive', 'background')")
    measured backlog_before 1 "$before"
    measured backlog_after 1 "$after"
    measured backlog_rate 1 "$(calc "$(get backlog_background.premium.count 1) / $seconds")"
    wait
}

median() { awk -v name="$1" '$1 == name { print $3 }' "$values" | sort -n |
    awk '{ v[NR] = $1 } END { print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'; }

# The median of each round's ratio.
ratio() {
    awk -v ours="$1" -v bare="$2" '$1 == ours { o[$2] = $3 } $1 == bare { b[$2] = $3 }
        END { for (i in o) if (b[i] > 0) print o[i] / b[i] }' "$values" | sort -n |
        awk '{ v[NR] = $1 } END { printf "%.2f", NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'
}

compared() { # LABEL OURS BARE
    printf '| %-62s | %9.0f | %9.0f | %5s |\n' "$1" "$(median "$3")" "$(median "$2")" "$(ratio "$2" "$3")"
}

series() { # LABEL NAME
    printf '| %-62s | %9s | %9s | %9s |\n' "$1" "$(get "$2.p50" 1)" "$(get "$2.p99" 1)" "$(get "$2.max" 1)"
}

lag() { # what push adds over a bare commit until a waiter has it
    calc "$(get push_call_to_visible.p50 1) - $(get bare_call_to_ack.p50 1)" 2
}

results() {
    local wal_bare
    wal_bare=$(calc "$(median bare_insert_wal) + $(median bare_delete_wal)" 0)
    cat <<HEAD
# paws_sync $(built_version): measurements

$(date -u '+%Y-%m-%d %H:%M UTC'), $(nproc) cores ($(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)), Linux $(uname -r),
$("$PG_BIN/postgres" --version), pool_size $(sql 'SHOW paws_sync.pool_size'), fsync on, synchronous_commit on,
payloads of 287 bytes, sealing on, $rounds rounds of $duration s.

| rows or operations a second                                    |      bare |      ours | ratio |
|----------------------------------------------------------------|-----------|-----------|-------|
HEAD
    compared 'push of one, 16 clients, workers running' push bare_insert
    compared 'push of one, 16 clients, workers paused' push_paused bare_insert
    compared 'push of one until applied and visible, sustained' push_applied bare_insert
    compared 'push_many of 100, 4 clients, workers running' push_many bare_insert_100
    compared 'push_many of 100, 4 clients, workers paused' push_many_paused bare_insert_100
    compared 'claim and apply by the pool / DELETE by 100, 4 clients' apply bare_delete_100
    compared 'claim and apply, a snapshot held open / none held' apply_old_snapshot apply
    cat <<HEAD

| WAL, bytes for an operation in and out                         |      bare |      ours | ratio |
|----------------------------------------------------------------|-----------|-----------|-------|
HEAD
    printf '| %-62s | %9s | %9.0f | %5s |\n' 'push of one / INSERT of one and DELETE by 100' "$wal_bare" \
        "$(median push_wal)" "$(calc "$(median push_wal) / $wal_bare" 2)" \
        'push_many of 100 / INSERT of one and DELETE by 100' "$wal_bare" \
        "$(median push_many_wal)" "$(calc "$(median push_many_wal) / $wal_bare" 2)"
    cat <<HEAD

| milliseconds, empty queue, one writer, one waiter              |       p50 |       p99 |       max |
|----------------------------------------------------------------|-----------|-----------|-----------|
HEAD
    series 'bare INSERT: call to acknowledgement' bare_call_to_ack
    series 'push: call to acknowledgement' push_call_to_ack
    series 'push: call to visible in pull_wait' push_call_to_visible
    series 'push: acknowledgement to visible in pull_wait' push_ack_to_visible
    series 'push, crisis lane: call to acknowledgement' crisis_call_to_ack
    series 'push, crisis lane: call to visible in pull_wait' crisis_call_to_visible
    cat <<HEAD

A push is visible to a waiter $(lag) ms (p50) later than a bare INSERT is acknowledged.

| $(printf '%-62s' "milliseconds with $backlog background operations waiting") |       p50 |       p99 |       max |
|----------------------------------------------------------------|-----------|-----------|-----------|
HEAD
    series 'interactive, premium (owed 500)' backlog_interactive.premium
    series 'interactive, basic (owed 5000)' backlog_interactive.basic
    cat <<FOOT

Meanwhile $(printf '%.0f' "$(get backlog_rate 1)") background operations were applied a second; $(get backlog_before 1) waited at the beginning,
$(get backlog_after 1) at the end. Attainment: premium $(get backlog_interactive.premium.attainment 1), basic $(get backlog_interactive.basic.attainment 1).
FOOT
}

# Every single value, by round.
results_json() {
    printf '{"version": "%s", "date": "%s", "cores": %s, "server": "%s", "duration": %s, "rounds": %s, "values": {' \
        "$(built_version)" "$(date -u '+%Y-%m-%dT%H:%M:%SZ')" "$(nproc)" "$("$PG_BIN/postgres" --version)" "$duration" "$rounds"
    awk '{ if (!($1 in list)) order[n++] = $1; list[$1] = list[$1] (list[$1] == "" ? "" : ", ") $3 }
        END { for (i = 0; i < n; i++) printf "%s\n  \"%s\": [%s]", i ? "," : "", order[i], list[order[i]] }' "$values"
    printf '\n}}\n'
}

bash "$TOP/test/cluster.sh" down --dir "$dir"
bash "$TOP/test/cluster.sh" up --dir "$dir" --port "$port" -c shared_buffers=1GB -c max_wal_size=4GB \
    -c checkpoint_timeout=30min -c synchronous_commit=on >/dev/null
"$PG_BIN/psql" -X -q -o /dev/null -d "$conninfo" -f "$here/setup.sql"
write_scripts
for ((round = 1; round <= rounds; round++)); do
    say "round $round of $rounds"
    single_rows "$round"
    sets_of_rows "$round"
    with_old_snapshot "$round"
done
say "latency with an empty queue"
latency_when_empty
say "latency with $backlog background operations waiting"
latency_under_backlog
mkdir -p "$output"
results | tee "$output/results.md"
results_json >"$output/results.json"
bash "$here/seal.sh"
