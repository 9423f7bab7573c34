# crisis: operations of the crisis lane, each with a consumer that waits, in turn with bare INSERTs by the same session; idle, and
# beside what makes a durable commit slow. Sourced by run.sh.
# shellcheck shell=bash disable=SC2034,SC2154
#
#   CRISIS_OPERATIONS=10000   in each row under load
#   CRISIS_RATE=250           of them a second
#   BACKLOG=1000000           background operations that wait in the last row

crisis_operations=${CRISIS_OPERATIONS:-10000}
crisis_rate=${CRISIS_RATE:-250}
crisis_idle=$((crisis_operations / 5))
crisis_backlog=${BACKLOG:-1000000}

# crisis_load ROW CLUSTER OPTIONS...: see crisis_load.c; its output is in $work/queue_load.out
crisis_load() {
    local row=$1 kind=$2 name
    shift 2
    if [ ! -x "$work/crisis_load" ]; then
        gcc -std=gnu11 -O2 -I"$("$PG_CONFIG" --includedir)" -o "$work/crisis_load" "$here/crisis_load.c" \
            -L"$("$PG_CONFIG" --libdir)" -lpq 2>>"$log"
    fi
    "$work/crisis_load" "$(conninfo "$kind")" "payload=$payload_base64" "hex=$payload_hex" "$@" >"$work/queue_load.out" 2>>"$log" ||
        die "crisis_load failed"
    for name in bare_call_to_ack call_to_ack call_to_visible ack_to_visible; do
        latencies "$name" "crisis.$row.$name"
    done
    for name in sent lost twice refused late; do
        measured "crisis.$row.$name" 1 "$(loaded "$name" 2)"
    done
}

numbers() { seq -s , "$1" "$2"; }

# What runs beside a row; its processes are in $beside.
beside=()
beside_row() { # SCRIPT CLIENTS: pgbench until end_of_row
    "$PG_BIN/pgbench" -n -M prepared -f "$work/$1" -c "$2" -j 1 -T 3600 -D "hex=$payload_hex" -D known=0 "$(conninfo sealed)" \
        >/dev/null 2>>"$log" &
    beside+=("$!")
}
end_of_row() {
    local job
    for job in "${beside[@]}"; do
        kill "$job" 2>/dev/null || true
        wait "$job" 2>/dev/null || true
    done
    beside=()
}

crisis_scripts() {
    push_scripts
    # as many checkpoints as there is time for, one a second at most
    printf 'CHECKPOINT;\n\\sleep 1 s\n' >"$work/checkpoints"
}

crisis_alone() {
    say "crisis: idle"
    crisis_load idle sealed subjects=1 "count=$crisis_idle" rate=50
}

crisis_shares() {
    say "crisis: idle, without sealing"
    need unsealed
    crisis_load unsealed unsealed subjects=1 "count=$crisis_idle" rate=50
    away unsealed
}

# Two subjects of each tier at once: how far the tiers are apart, and how far two of one tier.
crisis_tiers() {
    local tier first n name count p50 p99 rest
    say "crisis: tiers"
    crisis_load tiers sealed subjects=11,1011,1111,1211,12,1012,1112,1212 "count=$((8 * crisis_idle))" "rate=$crisis_rate" each=1
    for tier in premium:11 basic:1011 grace_period:1111 trial:1211; do
        first=${tier#*:}
        for n in 0 1; do
            while read -r name count p50 p99 rest; do
                measured "crisis.tier.${tier%:*}.$n.p50" 1 "$(calc "$p50 / 1000" 3)"
                measured "crisis.tier.${tier%:*}.$n.p99" 1 "$(calc "$p99 / 1000" 3)"
            done < <(grep "^call_to_visible.$((first + n)) " "$work/queue_load.out")
        done
    done
}

crisis_under_writers() {
    say "crisis: 16 durable writers, and a checkpoint each second"
    beside_row bare_insert 16
    beside_row checkpoints 1
    sleep 1
    crisis_load writers sealed "subjects=$(numbers 21 28)" "count=$crisis_operations" "rate=$crisis_rate"
    end_of_row
}

# Rotations one after the other, and entries of the feed that expire, both held to bulk_wal_rate.
keep_rotating() {
    while :; do
        sql sealed "SELECT paws_sync.rotate_keys('data_keys') WHERE NOT EXISTS (SELECT FROM paws_sync.pg_stat_progress_paws_sync_keys)" || true
        sleep 0.5
    done
}

crisis_beside_bulk() {
    local before began
    say "crisis: beside the engine's own bulk"
    load sealed push_many 4 -t "$((crisis_backlog / 2000))" >/dev/null
    sql sealed 'CALL bench.drain()' >/dev/null
    sql sealed "UPDATE paws_care.feed SET finished_at = finished_at - interval '366 days' WHERE subject_no > 300" >/dev/null
    sql sealed "ALTER SYSTEM SET paws_sync.housekeeping_interval = '1s'"
    sql sealed 'SELECT pg_reload_conf()' >/dev/null
    sql sealed 'CHECKPOINT'
    before=$(lsn sealed)
    began=$(date +%s.%N)
    keep_rotating >/dev/null 2>>"$log" &
    beside+=("$!")
    sleep 1
    crisis_load bulk sealed "subjects=$(numbers 31 38)" "count=$crisis_operations" "rate=$crisis_rate"
    measured crisis.bulk.wal 1 "$(calc "($(lsn sealed) - $before) / ($(date +%s.%N) - $began) / 1048576")"
    measured crisis.bulk.expired 1 "$(sql sealed "SELECT count(*) FROM paws_care.counter WHERE expired > 0")"
    measured crisis.bulk.resealed 1 "$(sql sealed "SELECT count(*) FROM paws_vault.data_key WHERE version > 1")"
    end_of_row
    sql sealed 'ALTER SYSTEM RESET paws_sync.housekeeping_interval'
    sql sealed 'SELECT pg_reload_conf()' >/dev/null
}

crisis_over_backlog() {
    local before
    say "crisis: over $crisis_backlog background operations"
    workers sealed off
    load sealed push_background 4 -t "$((crisis_backlog / 400))" >/dev/null
    sql sealed 'CHECKPOINT'
    workers sealed on
    until [ "$(sql sealed 'SELECT bench.waiting()')" -lt $((crisis_backlog - 400)) ]; do sleep 0.1; done
    beside_row feed_background 2
    before=$(sql sealed 'SELECT bench.waiting()')
    crisis_load backlog sealed "subjects=$(numbers 41 48)" "count=$crisis_operations" "rate=$crisis_rate"
    measured crisis.backlog.before 1 "$before"
    measured crisis.backlog.after 1 "$(sql sealed 'SELECT bench.waiting()')"
    end_of_row
}

part_crisis() {
    local urgent_over=$crisis_backlog
    need sealed
    crisis_scripts
    crisis_alone
    ! wanted unsealed || crisis_shares
    crisis_tiers
    crisis_under_writers
    crisis_beside_bulk
    crisis_over_backlog
    away sealed             # with what still waits
    remark "Each operation has a consumer in pull_crisis_wait; between two operations the same session puts the payload into a bare" \
        "table. Visible: the consumer has the answer. Under load ${crisis_rate} operations a second by eight sessions, and as many INSERTs."
}
