# idle: what an engine without work takes; memory: what it reserves for subjects. Sourced by run.sh.
# shellcheck shell=bash disable=SC2034,SC2154
#
#   IDLE_SECONDS=60  how long is looked on

idle_seconds=${IDLE_SECONDS:-60}

# Clock ticks that our processes have used so far.
ticks_used() {
    local pid total=0 user system
    for pid in $(sql sealed "SELECT pid FROM pg_stat_activity WHERE backend_type LIKE 'paws_sync%'"); do
        # the name in parentheses may hold spaces: count from behind it
        read -r user system < <(sed 's/.*) //' "/proc/$pid/stat" | awk '{ print $12, $13 }')
        total=$((total + user + system))
    done
    echo "$total"
}

part_idle() {
    local before before_wal plain_wal kind
    [ -z "${started[sealed]:-}" ] || away sealed
    need sealed plain
    push_scripts
    load sealed push_many 1 -t 20 >/dev/null
    sql sealed 'CALL bench.drain()' >/dev/null
    for kind in sealed plain; do
        autovacuum "$kind" off
        sql "$kind" 'VACUUM ANALYZE'
        sql "$kind" CHECKPOINT
    done
    sleep 5
    say "idle: $idle_seconds s"
    before=$(ticks_used)
    before_wal=$(lsn sealed)
    plain_wal=$(lsn plain)
    sleep "$idle_seconds"
    measured idle.cpu_ms 1 "$(calc "($(ticks_used) - $before) * 1000 / $(getconf CLK_TCK)" 0)"
    measured idle.wal 1 "$(($(lsn sealed) - before_wal))"
    measured idle.wal_plain 1 "$(($(lsn plain) - plain_wal))"
    measured idle.seconds 1 "$idle_seconds"
    autovacuum sealed on
    autovacuum plain on
    remark "Autovacuum was off meanwhile: what it cleans is of earlier work."
    measured idle.processes 1 "$(sql sealed "SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'paws_sync%'")"
}

parts_of_memory() {
    sql sealed "SELECT replace(replace(name, 'paws_sync ', ''), ' ', '_'), allocated_size FROM pg_shmem_allocations
        WHERE name LIKE 'paws_sync%' ORDER BY 1"
}

# with_room SUBJECTS: restarts with room for so many in every table that is kept by subject.
with_room() {
    local setting
    for setting in max_subjects_limited max_flows; do
        [ -z "$(sql sealed "SELECT 1 FROM pg_settings WHERE name = 'paws_sync.$setting'")" ] ||
            sql sealed "ALTER SYSTEM SET paws_sync.$setting = '$1'"
    done
    cluster sealed restart
}

# Each part with the shipped settings, and its growth with 10,000 subjects more; the tables grow in powers of two.
part_memory() {
    local name size few=262144 many=524288
    declare -A before=()
    need sealed
    say "memory"
    while IFS='|' read -r name size; do
        measured "memory.$name.shipped" 1 "$size"
    done < <(parts_of_memory)
    with_room "$few"
    while IFS='|' read -r name size; do
        before[$name]=$size
    done < <(parts_of_memory)
    with_room "$many"
    while IFS='|' read -r name size; do
        measured "memory.$name.per_10000" 1 "$(calc "(($size) - ${before[$name]:-0}) * 10000 / ($many - $few)" 0)"
    done < <(parts_of_memory)
    away sealed
    remark "Growth from room for $few subjects to room for $many, for the shipped 4 databases; a subject that finds no room is" \
        "neither limited nor kept back, and is counted."
}
