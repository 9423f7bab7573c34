# Rows of the matrix: standbys, and disks that are full. Sourced by run.sh.
# shellcheck shell=bash disable=SC2034,SC2154

# with_standby WAIT: a synchronous standby of the main cluster; whether the lane waits for it.
with_standby() {
    subjects 16
    make_own_folder "$dir/standby"
    undo="no_standby; $undo"
    as_server "$PG_BIN/pg_basebackup" -h "$dir/$current" -p "$port" -U postgres -D "$dir/standby/data" -c fast -R 2>>"$log"
    printf "unix_socket_directories = '%s'\nhot_standby = on\n" "$dir/standby" | as_server tee -a "$dir/standby/data/postgresql.auto.conf" >/dev/null
    as_server "$PG_BIN/pg_ctl" -D "$dir/standby/data" -l "$dir/standby/log" -w -s start </dev/null >>"$log" 2>&1
    sql "ALTER SYSTEM SET paws_sync.crisis_standby_wait = $1"
    sql "ALTER SYSTEM SET synchronous_standby_names = '*'"
    sql 'SELECT pg_reload_conf()' >/dev/null
    until_sql "SELECT count(*) = 1 FROM pg_stat_replication WHERE sync_state = 'sync' AND state = 'streaming'"
}

# The main cluster is itself again before the standby goes, or what commits would wait for it.
no_standby() {
    resume_standby
    sql 'ALTER SYSTEM RESET synchronous_standby_names'
    sql 'ALTER SYSTEM RESET paws_sync.crisis_standby_wait'
    sql 'SELECT pg_reload_conf()' >/dev/null
    cluster standby down
}

receiver() { ps -o pid=,args= --ppid "$(head -n 1 "$dir/standby/data/postmaster.pid" 2>/dev/null || echo 0)" 2>/dev/null | awk '/walreceiver/ { print $1 }'; }

# The process that takes in the WAL stops for 0.3 s, and runs for 0.3 s.
stall_standby() {
    local pid
    pid=$(receiver) && [ -n "$pid" ] && as_server kill -STOP "$pid" && sleep 0.3 && as_server kill -CONT "$pid" && sleep 0.3
}

resume_standby() {
    local pid
    pid=$(receiver) && [ -n "$pid" ] && as_server kill -CONT "$pid" || true
}

row_standby_slow() {
    about serves "the synchronous standby stalls for 0.3 s every 0.6 s; paws_sync.crisis_standby_wait is off"
    with_standby off
    again stall_standby
    crisis
    end_faults
}

row_standby_slow_waited() {
    about waits "the same with paws_sync.crisis_standby_wait on"
    with_standby on
    again stall_standby
    crisis
    end_faults
}

row_standby_gone() {
    about serves "the synchronous standby is gone; paws_sync.crisis_standby_wait is off"
    with_standby off
    stop_server "$dir/standby/data"
    faulted
    crisis
}

row_standby_gone_waited() {
    about waits "the same with paws_sync.crisis_standby_wait on, until it is back after 2 s"
    with_standby on
    when_begun 0.5 bounce_standby
    crisis
    end_faults
}

bounce_standby() {
    stop_server "$dir/standby/data"
    sleep 2
    as_server "$PG_BIN/pg_ctl" -D "$dir/standby/data" -l "$dir/standby/log" -w -s start </dev/null
}

# What was acknowledged is on the standby when the server is lost, if commits wait for it.
row_failover() {
    about restarts "the server is lost while it is pushed to; the synchronous standby takes over (paws_sync.crisis_standby_wait on)"
    fresh
    with_standby on
    undo="other=; cluster standby down; away $row"
    when_begun 1.5 fail_over
    other=standby
    crisis
    end_faults
    check
    other=
}

# Nothing is asked of the server that is lost any more.
fail_over() {
    local pid pids
    pid=$(head -n 1 "$dir/$current/data/postmaster.pid")
    pids=$(ps -o pid= --ppid "$pid")
    # shellcheck disable=SC2086
    as_server kill -KILL "$pid" $pids
    as_server "$PG_BIN/pg_ctl" -D "$dir/standby/data" -w -s promote
}

# ---- disks

# on_small_disk FOLDER MEGABYTES: a folder of the server's data moves to a tmpfs with so much room beside what is there.
on_small_disk() {
    local folder=$dir/$current/data/$1 used
    stop_server "$dir/$current/data"
    undo="stop_server '$dir/$current/data'; unmount_all; $undo"
    used=$(as_server du -sm "$folder" | cut -f 1)
    as_server mv "$folder" "$folder.away"
    as_server mkdir -m 0700 "$folder"
    if ! mount_small "$folder" "$((used + $2))m"; then
        skip "a tmpfs cannot be mounted here"
        return 1
    fi
    as_server cp -a "$folder.away/." "$folder/"
    as_server rm -rf "$folder.away"
    cluster "$current" restart
}

# fill_disk FOLDER: to the last page.
fill_disk() {
    as_server dd if=/dev/zero of="$dir/$current/data/$1/ballast" bs=8192 oflag=append conv=notrunc 2>/dev/null || true
}

# Full for 3 s, and room again.
fill_for_a_while() {
    fill_disk base
    faulted
    sleep 3
    as_server rm "$dir/$current/data/base/ballast"
}

row_disk_data() {
    about refuses "the disk of the tables is full, for some seconds"
    allow 53100
    fresh
    subjects 16
    if ! on_small_disk base 24; then return 0; fi
    when_begun 1 fill_for_a_while
    crisis operations=1000 rate=100 retry=0
    end_faults
}

row_disk_wal() {
    about restarts "the disk of the WAL is full: the server stops itself, and is started when there is room"
    fresh -c max_wal_size=4GB
    subjects 16
    if ! on_small_disk pg_wal 64; then return 0; fi
    when_begun 1 fill_wal
    crisis operations=1000 rate=100
    end_faults
}

# Until the server is gone for good, or serves no more for 2 s; then there is room.
fill_wal() {
    bulk_file
    while sql "COPY faults.bulk FROM '$work/bulk.copy'"; do :; done
    faulted
    sleep 2
    as_root mount -o remount,size=2g "$dir/$current/data/pg_wal"
    cluster "$current" status || true
    sql 'SELECT 1' >/dev/null || cluster "$current" restart
}
