#!/bin/bash
# calm.sh [flow] [sag] [backlog] [jobs] [idle]: what holds back vacuum, and what else goes on in a database, must not slow the
# queue; what waits must not make a claim dear; and nothing to do must cost nothing. All parts by default.
#
# Brings up a durable cluster of its own, measures each case between two plain runs of the same kind, prints tables, writes
# them with machine, versions and date to test/output/bench/calm.md and every value to calm.json, and takes the cluster down.
#
#   N=500000       operations that pass in each run of flow and sag; jobs in those of jobs
#   BACKLOGS="0 1000000"  background operations that wait while WAVE interactive ones are applied (10000000 takes 10 GB)
#   WAVE=50000
#   SUBJECTS=1000  whose devices push
#   HELD="snapshot writer slot vacuum index dump"   the cases of flow and jobs
#   DIR=…          folder of the cluster; default paws_calm.<user> in the system's temporary folder
set -euo pipefail

. "$(dirname "$0")/../lib.sh"

passing=${N:-500000}
wave=${WAVE:-50000}
backlogs=${BACKLOGS:-0 1000000}
subjects=${SUBJECTS:-1000}
held=${HELD:-snapshot writer slot vacuum index dump}
dir=${DIR:-${TMPDIR:-/tmp}/paws_calm.$(id -un)}
port=54341
output=$TOP/test/output/bench
parts=("$@")
[ ${#parts[@]} -gt 0 ] || parts=(flow sag backlog jobs idle)

find_postgres
work=$(mktemp -d)
chmod 755 "$work"
values=$work/values
report=$work/report
touch "$values"
holder=

finish() {
    local status=$?
    trap - EXIT INT TERM
    for job in $(jobs -p); do kill "$job" 2>/dev/null || true; done
    [ "$status" = 0 ] || ! [ -s "$work/log" ] || tail -n 20 "$work/log" >&2
    [ ! -d "$dir/standby" ] || stop_server "$dir/standby"
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
measured() { printf '%s %s\n' "$1" "$2" >>"$values"; }
value() { awk -v name="$1" '$1 == name { v = $2 } END { print v }' "$values"; }
value_or_none() { local v; v=$(value "$1"); echo "${v:--}"; }
has() { [ "$(sql "SELECT count(*) FROM pg_proc WHERE proname = '$1' AND pronamespace = 'paws_sync'::regnamespace")" != 0 ]; }

payload_hex="\\x$(head -c 287 /dev/zero | tr '\0' 'm' | od -An -v -tx1 | tr -d ' \n')"

# What pgbench runs. A push is of one device; the next one of another. Who pushes waits a little while much waits already, so
# that pushing and applying go on beside one another to the end.
write_scripts() {
    local uuids='(SELECT array_agg(gen_random_uuid()) FROM generate_series(1, 100))' class

    for class in interactive background; do
        cat >"$work/push_$class" <<PUSH
\\set n random(1, $subjects)
\\if :paced
SELECT (sum(depth) > 5000)::integer AS much FROM paws_sync.pg_stat_paws_sync_lanes \\gset
\\if :much
\\sleep 100 ms
\\endif
\\endif
SELECT count(*) FROM paws_sync.push_many((SELECT device FROM bench.device WHERE n = :n), $uuids,
    array_fill('bench_$class'::text, ARRAY[100]), $uuids, array_fill(0::bigint, ARRAY[100]),
    array_fill(:hex::bytea, ARRAY[100]));
PUSH
    done
    cat >"$work/jobs_100" <<'JOBS'
SELECT count(*) FROM paws_sync.submit_many('calm', array_fill(:hex::bytea, ARRAY[100]));
SELECT coalesce(array_agg(job), '{}')::text AS jobs, coalesce(array_agg(fence), '{}')::text AS fences
FROM paws_sync.claim('{calm}', 100) \gset
SELECT count(*) FROM paws_sync.complete_many(:jobs::bigint[], :fences::bigint[]);
JOBS
    cat >"$work/jobs_1" <<'JOBS'
SELECT job, fence FROM paws_sync.claim('{calm}', 1) \gset
SELECT paws_sync.complete(:job::bigint, :fence::bigint);
JOBS
    echo "SELECT count(*) FROM paws_sync.submit_many('calm', array_fill(:hex::bytea, ARRAY[100]));" >"$work/submit_100"
}

set_up() {
    "$PG_BIN/psql" -X -q -o /dev/null -v ON_ERROR_STOP=1 -d "$conninfo" <<SQL
SET client_min_messages = warning;
CREATE SCHEMA bench;
SELECT paws_sync.define_collection('bench_interactive', 'interactive');
SELECT paws_sync.define_collection('bench_background', 'background');
SELECT paws_sync.set_tier_policy('premium', ops_per_second => 1000000000, ops_burst => 1000000000,
    bytes_per_second => 1000000000000, bytes_burst => 1000000000000);
CREATE TABLE bench.device (n integer PRIMARY KEY, device paws_sync.device NOT NULL);
SELECT count(paws_sync.set_entitlement(paws_sync.subject_for('bench' || n), 'premium')) FROM generate_series(1, $subjects) n;
INSERT INTO bench.device SELECT n, paws_sync.register_device(paws_sync.subject_for('bench' || n), 'ios') FROM generate_series(1, $subjects) n;
VACUUM ANALYZE bench.device;
SQL
}

# load SCRIPT CLIENTS OPTIONS...
load() {
    local script=$1 clients=$2
    shift 2
    "$PG_BIN/pgbench" -n -M prepared -f "$work/$script" -c "$clients" -j 2 -D "hex=$payload_hex" -D much=0 -D paced=0 "$@" "$conninfo" \
        >"$work/$script.out" 2>>"$work/log" || { cat "$work/$script.out" >&2; die "pgbench of $script failed"; }
}
tps() { awk '/^tps = / { print $3 }' "$work/$1.out"; }

workers() {
    sql "ALTER SYSTEM SET paws_sync.databases = '$([ "$1" = on ] && echo paws)'"
    sql 'SELECT pg_reload_conf()' >/dev/null
    [ "$1" = off ] || return 0
    until [ "$(sql 'SELECT count(*) FROM paws_sync.pg_stat_paws_sync_workers WHERE database IS NOT NULL')" = 0 ]; do sleep 0.1; done
}

# Before each run: nothing dead, nothing that grew in the runs before, nothing half written.
clean() {
    sql 'TRUNCATE paws_care.feed, paws_care.document, paws_care.branch'
    sql 'VACUUM'
    sql 'CHECKPOINT'
}

# ---------------------------------------------------------------------------------------------------------------------------
# What goes on beside a run: begin_NAME, end_NAME.

hold() {
    coproc HOLDER { "$PG_BIN/psql" -X -A -t -q -d "$conninfo"; }
    holder=$HOLDER_PID
    echo "$1; SELECT 1;" >&"${HOLDER[1]}"
    read -r _ <&"${HOLDER[0]}"
}
let_go() {
    echo '\q' >&"${HOLDER[1]}"
    wait "$holder" || true
}
# Again and again, until end_loop.
loop() {
    touch "$work/looping"
    (while [ -e "$work/looping" ]; do "$@" >/dev/null 2>>"$work/log" || true; echo >>"$work/turns"; done) &
    looper=$!
}
end_loop() {
    rm -f "$work/looping"
    wait "$looper" || true
    say "  (it was done $(wc -l <"$work/turns") times)"
    rm -f "$work/turns"
}

title_plain='nothing else'
begin_plain() { :; }
end_plain() { :; }
title_snapshot='a REPEATABLE READ snapshot is held open'
begin_snapshot() { hold 'BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM bench.device'; }
end_snapshot() { let_go; }
title_writer='a session that wrote idles in its transaction'
begin_writer() { hold 'BEGIN; CREATE TABLE bench.idle ()'; }
end_writer() { let_go; }
title_vacuum='VACUUM of queue and documents, again and again'
slow_vacuum() { PGOPTIONS='-c vacuum_cost_delay=2' sql "VACUUM $1"; } # as autovacuum has it
begin_vacuum() { loop slow_vacuum "paws_queue.operation, paws_care.document, paws_care.feed, paws_care.counter$vacuum_jobs"; }
end_vacuum() { end_loop; }
title_index='CREATE INDEX CONCURRENTLY on the queue, again and again'
make_index() {
    sql "CREATE INDEX CONCURRENTLY throw_away ON $queue_table (id)"
    PGOPTIONS="-c client_min_messages=warning" sql "DROP INDEX CONCURRENTLY IF EXISTS $(dirname "${queue_table//.//}").throw_away"
}
begin_index() { loop make_index; }
end_index() {
    end_loop
    PGOPTIONS="-c client_min_messages=warning" sql "DROP INDEX IF EXISTS $(dirname "${queue_table//.//}").throw_away"
}
title_dump='pg_dump, again and again'
begin_dump() { loop "$PG_BIN/pg_dump" -d "$conninfo"; }
end_dump() { end_loop; }
title_slot='a replication slot that a standby left in the middle of a query'
# The slot gets its horizon from a standby that feeds back and dies.
begin_slot() {
    local standby=$dir/standby there="host=$dir port=$((port + 1)) dbname=paws user=postgres"

    as_server rm -rf "$standby"
    as_server "$PG_BIN/pg_basebackup" -h "$dir" -p "$port" -U postgres -D "$standby" -R -C -S calm -c fast -X stream 2>>"$work/log"
    printf 'port = %s\nhot_standby_feedback = on\nwal_receiver_status_interval = 1s\ncluster_name = standby\n' $((port + 1)) |
        as_server tee -a "$standby/postgresql.auto.conf" >/dev/null
    as_server "$PG_BIN/pg_ctl" -D "$standby" -l "$dir/log/standby.log" -w -s start >/dev/null 2>>"$work/log"
    "$PG_BIN/psql" -X -q -d "$there" -c 'BEGIN ISOLATION LEVEL REPEATABLE READ' -c 'SELECT pg_sleep(600)' \
        >/dev/null 2>&1 </dev/null &
    reader=$!
    until [ "$(sql "SELECT xmin IS NOT NULL FROM pg_replication_slots WHERE slot_name = 'calm'")" = t ]; do sleep 0.1; done
    as_server "$PG_BIN/pg_ctl" -D "$standby" -m immediate -s stop >/dev/null 2>>"$work/log"
    kill "$reader" 2>/dev/null || true
    wait "$reader" 2>/dev/null || true
    as_server rm -rf "$standby"
    until [ "$(sql "SELECT xmin IS NOT NULL AND NOT active FROM pg_replication_slots WHERE slot_name = 'calm'")" = t ]; do sleep 0.1; done
}
end_slot() { sql "SELECT pg_drop_replication_slot('calm')"; }

# The cost that the doctor tells, while it is still there.
dead_rows() { if has stat_horizon; then sql 'SELECT coalesce(max(dead_rows), 0) FROM paws_sync.stat_horizon()'; else echo -; fi; }

# ---------------------------------------------------------------------------------------------------------------------------
# flow: push_many by 4 clients until the last operation is applied, with the workers running.

# What was applied and when, every quarter of a second.
watch_applied() {
    echo 'SELECT extract(epoch FROM clock_timestamp()), sum(operations) FROM paws_sync.pg_stat_paws_sync_workers \watch 0.25' |
        "$PG_BIN/psql" -X -A -t -q -F ' ' -d "$conninfo" >"$work/applied" 2>>"$work/log" &
    watcher=$!
}
# Ticks of the processor that the workers of a kind have used.
ticks() {
    local pid total=0
    for pid in $(sql "SELECT pid FROM paws_sync.pg_stat_paws_sync_workers WHERE kind = '$1' AND pid IS NOT NULL"); do
        total=$((total + $(awk '{ sub(/^.*\) /, ""); print $12 + $13 }' "/proc/$pid/stat")))
    done
    echo "$total"
}
# Those of the whole server, processes that ended among them.
server_ticks() {
    local postmaster
    postmaster=$(as_server head -n 1 "$dir/data/postmaster.pid")
    { cat /proc/[0-9]*/stat 2>/dev/null || true; } | awk -v postmaster="$postmaster" '{ pid = $1; sub(/^.*\) /, "") }
        pid == postmaster { total += $14 + $15 } pid == postmaster || $2 == postmaster { total += $12 + $13 } END { print total }'
}
us_each() { calc "1000000 * ($1) / $(getconf CLK_TCK) / $2" 2; } # TICKS OPERATIONS
applied() { sql 'SELECT coalesce(sum(operations), 0) FROM paws_sync.pg_stat_paws_sync_workers'; }

# run_flow NAME OPERATIONS: measures NAME.rate, NAME.cpu (of the pool, in µs for an operation), and NAME.slice1 … slice10, each
# over a tenth of the operations.
run_flow() {
    local name=$1 count=$(($2 / 400 * 400)) before began ended slice=0 rate used

    before=$(applied)
    used=$(ticks pool)
    watch_applied
    began=$(date +%s.%N)
    load push_interactive 4 -D paced=1 -t $((count / 400))
    until [ "$(applied)" -ge $((before + count)) ]; do sleep 0.02; done
    ended=$(date +%s.%N)
    sleep 0.3
    kill "$watcher"
    wait "$watcher" 2>/dev/null || true
    measured "$name.rate" "$(calc "$count / ($ended - $began)")"
    measured "$name.cpu" "$(us_each "$(ticks pool) - $used" "$count")"
    awk -v began="$began" -v ended="$ended" -v before="$before" -v count="$count" '
        # where the line of samples crosses each tenth
        NF == 2 { t[++n] = $1; a[n] = $2 - before }
        END {
            t[0] = began; a[0] = 0; t[++n] = ended; a[n] = count
            at = began
            for (s = 1; s <= 10; s++) {
                goal = count * s / 10
                for (i = 1; i < n && (a[i] < goal || t[i] <= at); i++) ;
                x = a[i] > a[i - 1] ? t[i - 1] + (t[i] - t[i - 1]) * (goal - a[i - 1]) / (a[i] - a[i - 1]) : t[i]
                if (x <= at) x = at + 0.001
                print count / 10 / (x - at)
                at = x
            }
        }' "$work/applied" | while read -r rate; do
        measured "$name.slice$((++slice))" "$rate"
    done
}

# The rate over the last fifth, when all that is dead is there.
end_of() { calc "2 / (1 / $(value "$1.slice9") + 1 / $(value "$1.slice10"))"; }

# Every case between two plain runs, whose mean it is compared with.
alternate() { # PREFIX RUN COUNT
    local prefix=$1 run=$2 count=$3 n=0 case

    say "$prefix: plain"
    clean
    "$run" "$prefix.plain$n" "$count"
    for case in $held; do
        say "$prefix: $case"
        clean
        "begin_$case"
        "$run" "$prefix.$case" "$count"
        measured "$prefix.$case.dead" "$(dead_rows)"
        "end_$case"
        say "$prefix: plain"
        clean
        "$run" "$prefix.plain$((n + 1))" "$count"
        [ -z "$(value "$prefix.$case.cpu")" ] ||
            measured "$prefix.$case.cpu_ratio" "$(calc "2 * $(value "$prefix.$case.cpu") / ($(value "$prefix.plain$n.cpu") + $(value "$prefix.plain$((n + 1)).cpu"))" 2)"
        measured "$prefix.$case.end" "$(end_of "$prefix.$case")"
        measured "$prefix.$case.plain" "$(calc "($(value "$prefix.plain$n.rate") + $(value "$prefix.plain$((n + 1)).rate")) / 2")"
        measured "$prefix.$case.plain_end" "$(calc "($(end_of "$prefix.plain$n") + $(end_of "$prefix.plain$((n + 1))")) / 2")"
        n=$((n + 1))
    done
}

alternate_table() { # PREFIX TITLE WHOSE
    local case title

    printf '\n| %-64s |   without |      with | ratio | last fifth: with | ratio | µs of %-8s | ratio | dead rows kept |\n' "$2" "$3"
    printf '|%s|-----------|-----------|-------|------------------|-------|----------------|-------|----------------|\n' "$(printf -- '-%.0s' $(seq 66))"
    for case in $held; do
        title=title_$case
        printf '| %-64s | %9.0f | %9.0f | %5.2f | %16.0f | %5.2f | %14s | %5s | %14s |\n' "${!title}" "$(value "$1.$case.plain")" "$(value "$1.$case.rate")" \
            "$(calc "$(value "$1.$case.rate") / $(value "$1.$case.plain")" 3)" "$(value "$1.$case.end")" \
            "$(calc "$(value "$1.$case.end") / $(value "$1.$case.plain_end")" 3)" \
            "$(value_or_none "$1.$case.cpu")" "$(value_or_none "$1.$case.cpu_ratio")" "$(value "$1.$case.dead")"
    done
}

part_flow() {
    queue_table=paws_queue.operation
    vacuum_jobs=
    alternate flow run_flow "$passing"
    alternate_table flow "operations/s from push_many to applied, $passing pass" "the pool" >>"$report"
}

# ---------------------------------------------------------------------------------------------------------------------------
# sag: the rate between two vacuums, without autovacuum.

part_sag() {
    local n slices=

    say "sag"
    sql 'ALTER SYSTEM SET autovacuum = off'
    sql 'SELECT pg_reload_conf()' >/dev/null
    clean
    run_flow sag "$passing"
    sql 'ALTER SYSTEM RESET autovacuum'
    sql 'SELECT pg_reload_conf()' >/dev/null
    for n in 1 2 3 4 5 6 7 8 9 10; do slices+=$(printf ' %8.0f |' "$(value "sag.slice$n")"); done
    {
        printf '\nBetween two vacuums, operations/s in each tenth of %s:\n\n' "$passing"
        printf '|        1 |        2 |        3 |        4 |        5 |        6 |        7 |        8 |        9 |       10 |\n'
        printf '|----------|----------|----------|----------|----------|----------|----------|----------|----------|----------|\n'
        printf '|%s\n' "$slices"
    } >>"$report"
}

# ---------------------------------------------------------------------------------------------------------------------------
# backlog: a wave of interactive operations is applied while background ones wait; they have their share meanwhile.

waiting_at() { sql "SELECT depth FROM paws_sync.pg_stat_paws_sync_lanes WHERE level_number = $1"; }
# Entries of indexes read and pages touched, in the queue's table alone.
queue_cost() {
    sql "SELECT (SELECT sum(idx_tup_read) FROM pg_stat_all_indexes WHERE relid = 'paws_queue.operation'::regclass),
        heap_blks_hit + heap_blks_read + idx_blks_hit + idx_blks_read FROM pg_statio_all_tables WHERE relid = 'paws_queue.operation'::regclass" | tr '|' ' '
}

run_wave() { # NAME
    local before began ended done entries pages cost used

    workers off
    load push_interactive 4 -t $((wave / 400))
    sql 'CHECKPOINT'
    before=$(applied)
    cost=$(queue_cost)
    workers on
    until [ "$(applied)" -gt 0 ]; do sleep 0.01; done
    began=$(date +%s.%N)
    before=$(applied)
    used=$(ticks pool)
    until [ "$(waiting_at 6)" = 0 ]; do sleep 0.01; done
    done=$(($(applied) - before))
    ended=$(date +%s.%N)
    measured "$1.cpu" "$(us_each "$(ticks pool) - $used" "$((done + 1))")"
    workers off
    read -r entries pages < <(echo "$cost $(queue_cost)" | awk '{ print $3 - $1, $4 - $2 }')
    measured "$1.rate" "$(calc "$done / ($ended - $began)")"
    measured "$1.entries" "$(calc "$entries / ($done + 1)" 2)"
    measured "$1.pages" "$(calc "$pages / ($done + 1)" 2)"
}

part_backlog() {
    local size have=0

    {
        printf '\n| %-44s | applied/s | ratio | µs of the pool each | ratio | index entries each | pages of the queue each |\n' "background operations waiting, $wave urgent"
        printf '|%s|-----------|-------|---------------------|-------|--------------------|-------------------------|\n' "$(printf -- '-%.0s' $(seq 46))"
    } >>"$report"
    clean
    workers off
    for size in $backlogs; do
        say "backlog: $size"
        if [ "$size" -gt "$have" ]; then
            load push_background 4 -t $(((size - have) / 400))
            have=$size
        fi
        sql 'VACUUM paws_queue.operation'
        run_wave "backlog.$size.warm"
        run_wave "backlog.$size.a"
        run_wave "backlog.$size.b"
        measured "backlog.$size.rate" "$(calc "($(value "backlog.$size.a.rate") + $(value "backlog.$size.b.rate")) / 2")"
        measured "backlog.$size.cpu" "$(calc "($(value "backlog.$size.a.cpu") + $(value "backlog.$size.b.cpu")) / 2" 2)"
        printf '| %44s | %9.0f | %5.2f | %19s | %5.2f | %18s | %23s |\n' "$size" "$(value "backlog.$size.rate")" \
            "$(calc "$(value "backlog.$size.rate") / $(value "backlog.${backlogs%% *}.rate")" 3)" "$(value "backlog.$size.cpu")" \
            "$(calc "$(value "backlog.$size.cpu") / $(value "backlog.${backlogs%% *}.cpu")" 3)" \
            "$(value "backlog.$size.b.entries")" "$(value "backlog.$size.b.pages")" >>"$report"
    done
    sql 'TRUNCATE paws_queue.operation'
    bash "$TOP/test/cluster.sh" restart --dir "$dir" --port "$port"
    workers on
}

# ---------------------------------------------------------------------------------------------------------------------------
# jobs: submitted, claimed and completed by 100, by 4 clients.

run_jobs() {
    local slice=0 count=$(($2 / 400 * 400)) rate used

    used=$(server_ticks)
    load jobs_100 4 -t $((count / 400)) -l --log-prefix="$work/jobs"
    measured "$1.rate" "$(calc "100 * $(tps jobs_100)")"
    measured "$1.cpu" "$(us_each "$(server_ticks) - $used" "$count")"
    # each line of the log: when a transaction ended
    cat "$work"/jobs.* | awk '{ printf "%s.%06d\n", $5, $6 }' | sort -n | awk '
        { t[NR] = $1 }
        END { for (s = 1; s <= 10; s++) { a = int(NR * (s - 1) / 10) + 1; b = int(NR * s / 10); print (t[b] > t[a] ? 100 * (b - a) / (t[b] - t[a]) : 0) } }' |
        while read -r rate; do measured "$1.slice$((++slice))" "$rate"; done
    rm -f "$work"/jobs.[0-9]*
    # one at a time, among all that is dead by now
    load submit_100 4 -t 50
    load jobs_1 4 -t 4000
    measured "$1.single" "$(tps jobs_1)"
}

part_jobs() {
    local case title

    if ! has submit_many || ! has complete_many; then
        printf '\nThis build has no jobs.\n' >>"$report"
        return 0
    fi
    sql "SELECT paws_sync.define_topic('calm')" >/dev/null
    queue_table=paws_queue.job
    vacuum_jobs=', paws_queue.job'
    alternate jobs run_jobs "$passing"
    alternate_table jobs "jobs/s submitted, claimed, completed by 100, $passing pass" "all" >>"$report"
    {
        printf '\n| %-64s |   without |      with | ratio |\n' "jobs/s claimed and completed one at a time, after that"
        printf '|%s|-----------|-----------|-------|\n' "$(printf -- '-%.0s' $(seq 66))"
        for case in $held; do
            title=title_$case
            printf '| %-64s | %9.0f | %9.0f | %5.2f |\n' "${!title}" "$(value jobs.plain0.single)" "$(value "jobs.$case.single")" \
                "$(calc "$(value "jobs.$case.single") / $(value jobs.plain0.single)" 3)"
        done
    } >>"$report"
}

# ---------------------------------------------------------------------------------------------------------------------------
# idle: ticks of the processor and WAL of a minute's half in which nothing comes.

part_idle() {
    local kind lsn seconds=30
    local -A before

    say "idle"
    sql 'ALTER SYSTEM SET autovacuum = off'
    sql 'SELECT pg_reload_conf()' >/dev/null
    sql 'VACUUM'
    sql 'CHECKPOINT'
    sleep 20
    lsn=$(sql 'SELECT pg_current_wal_insert_lsn()')
    for kind in launcher scheduler pool; do before[$kind]=$(ticks "$kind"); done
    sleep $seconds
    for kind in launcher scheduler pool; do
        measured "idle.$kind" "$(calc "100 * ($(ticks "$kind") - ${before[$kind]}) / $(getconf CLK_TCK) / $seconds" 3)"
    done
    measured idle.wal "$(sql "SELECT pg_current_wal_insert_lsn() - '$lsn'")"
    printf '\nIdle for %s s: launcher %s %%, scheduler %s %%, pool %s %% of a processor, %s bytes of WAL (the server itself lists\nrunning transactions at most once).\n' \
        "$seconds" "$(value idle.launcher)" "$(value idle.scheduler)" "$(value idle.pool)" "$(value idle.wal)" >>"$report"
}

head_of_report() {
    cat <<HEAD
# paws_sync $(built_version): calm

$(date -u '+%Y-%m-%d %H:%M UTC'), $(nproc) cores ($(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)), Linux $(uname -r),
$("$PG_BIN/postgres" --version), pool_size $(sql 'SHOW paws_sync.pool_size'), fsync on, synchronous_commit on,
payloads of 287 bytes, sealing on. Each case stands between two plain runs and is compared with their mean.
HEAD
}

results_json() {
    printf '{"version": "%s", "date": "%s", "cores": %s, "server": "%s", "passing": %s, "values": {' \
        "$(built_version)" "$(date -u '+%Y-%m-%dT%H:%M:%SZ')" "$(nproc)" "$("$PG_BIN/postgres" --version)" "$passing"
    awk '$2 != "-" { printf "%s\n  \"%s\": %s", n++ ? "," : "", $1, $2 }' "$values"
    printf '\n}}\n'
}

bash "$TOP/test/cluster.sh" down --dir "$dir"
bash "$TOP/test/cluster.sh" up --dir "$dir" --port "$port" -c shared_buffers=1GB -c max_wal_size=8GB \
    -c checkpoint_timeout=30min -c synchronous_commit=on -c wal_level=replica -c max_wal_senders=4 >/dev/null
set_up
write_scripts
workers on
head_of_report >"$report"
for part in "${parts[@]}"; do
    case $part in
        flow | sag | backlog | jobs | idle) "part_$part" ;;
        *) die "no such part: $part" ;;
    esac
done
mkdir -p "$output"
cp "$report" "$output/calm.md"
results_json >"$output/calm.json"
cat "$report"
