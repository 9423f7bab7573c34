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
    local before before_wal plain_wal
    need sealed plain
    sql sealed 'VACUUM ANALYZE'
    sql plain 'VACUUM ANALYZE'
    sql sealed CHECKPOINT
    sql plain CHECKPOINT
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
    measured idle.processes 1 "$(sql sealed "SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'paws_sync%'")"
}

parts_of_memory() {
    sql sealed "SELECT replace(replace(name, 'paws_sync ', ''), ' ', '_'), allocated_size FROM pg_shmem_allocations
        WHERE name LIKE 'paws_sync%' ORDER BY 1"
}

# Each part with the shipped settings, and by how much it grows with 10,000 subjects more.
part_memory() {
    local name size
    declare -A before=()
    need sealed
    say "memory"
    while IFS='|' read -r name size; do
        before[$name]=$size
        measured "memory.$name.shipped" 1 "$size"
    done < <(parts_of_memory)
    sql sealed "ALTER SYSTEM SET paws_sync.max_subjects_limited = '$(($(sql sealed 'SHOW paws_sync.max_subjects_limited') + 40000))'"
    cluster sealed restart
    while IFS='|' read -r name size; do
        measured "memory.$name.per_10000" 1 "$(((size - ${before[$name]:-0}) / 4))"
    done < <(parts_of_memory)
    sql sealed 'ALTER SYSTEM RESET paws_sync.max_subjects_limited'
    cluster sealed restart
    remark "Grown by paws_sync.max_subjects_limited, 40,000 more than shipped and a quarter of that shown: tables grow in powers of two."
}
