# Rows of the matrix: nothing wrong, and load of all kinds. Sourced by run.sh.
# shellcheck shell=bash disable=SC2034,SC2154

row_bare() {
    about baseline "a bare INSERT of the same size, durable, alone"
    crisis pushers=1 rate=100 operations=$((operations / 5)) probe=0 bare="INSERT INTO faults.bare (payload) VALUES (\$1)"
    unchecked=
}

row_idle() {
    about serves "idle"
    subjects 1
    crisis pushers=1 consumers=1 rate=100 operations=$((operations / 5))
}

row_steady() {
    about serves "16 devices push, 16 wait"
    crisis
}

row_saturated() {
    about serves "both cores saturated by pgbench: 16 readers, 4 writers"
    pgbench_tables
    background "$PG_BIN/pgbench" -n -M prepared -b select-only -c 16 -j 1 -T 3600 "$(conninfo)"
    background "$PG_BIN/pgbench" -n -M prepared -b simple-update -c 4 -j 1 -T 3600 "$(conninfo)"
    faulted
    sleep 0.5
    crisis
}

pgbench_tables() {
    [ "$(sql "SELECT to_regclass('pgbench_accounts') IS NOT NULL")" = t ] ||
        "$PG_BIN/pgbench" -i -q -s 10 "$(conninfo)" >>"$log" 2>&1
}

row_writers() {
    about serves "16 durable writers, and a CHECKPOINT every second"
    limit call_to_visible.p999 10000
    load writers 16 <<'SQL'
INSERT INTO faults.bare (payload) VALUES (repeat('b', 287));
SQL
    again checkpoint_and_rest
    sleep 0.5
    crisis
}

checkpoint_and_rest() { sql CHECKPOINT && sleep 1; }

row_checkpoints() {
    about serves "forced checkpoints in a loop"
    load writers 2 <<'SQL'
INSERT INTO faults.bare (payload) VALUES (repeat('b', 287));
SQL
    again sql CHECKPOINT
    crisis
}

# Filled while the pool is away, 1,000 operations in a call.
row_backlog() {
    local waited
    about serves "$backlog ordinary operations wait, and the pool is at them"
    limit call_to_visible.p999 8000
    fresh
    sql "ALTER SYSTEM SET paws_sync.databases = ''" && sql 'SELECT pg_reload_conf()' >/dev/null
    until_sql "SELECT count(*) = 0 FROM paws_sync.pg_stat_paws_sync_workers WHERE database IS NOT NULL"
    cat >"$work/fill" <<'SQL'
\set n random(1, 200)
SELECT faults.push_ordinary((SELECT device FROM faults.ordinary WHERE n = :n), 'faults_background', 1000);
SQL
    "$PG_BIN/pgbench" -n -f "$work/fill" -c 2 -j 2 -t $((backlog / 2000)) "$(conninfo)" >>"$log" 2>&1
    sql "ALTER SYSTEM RESET paws_sync.databases" && sql 'SELECT pg_reload_conf()' >/dev/null
    until_sql "SELECT count(*) > 0 FROM paws_sync.pg_stat_paws_sync_workers WHERE kind = 'pool' AND operations > 0"
    waited=$(waiting)
    faulted
    crisis
    note "$waited waited when it began, $(waiting) when it ended"
}

waiting() { sql "SELECT sum(depth)::bigint FROM paws_sync.pg_stat_paws_sync_lanes"; }

# 200 persons with 100 documents each, and those who are pushed to.
row_bulk() {
    about serves "the engine's own bulk work: data keys rotate, and all documents are sealed anew, over and over"
    limit call_to_visible.p999 6000
    fresh
    sql "SELECT faults.push_ordinary(device, 'faults_background', $((operations / 100))) FROM faults.ordinary" >/dev/null
    until_sql "SELECT sum(depth) = 0 FROM paws_sync.pg_stat_paws_sync_lanes"
    again rotate_and_rest
    crisis
    note "$(sql "SELECT coalesce(sum(done), 0) || ' persons had their documents sealed anew' FROM paws_sync.pg_stat_progress_paws_sync_keys")"
}

rotate_and_rest() { sql "SELECT paws_sync.rotate_keys('data_keys')" && sleep 1; }

row_notify() {
    about serves "a storm of NOTIFY, 16 clients that listen too"
    load notify 16 <<'SQL'
LISTEN storm;
SELECT pg_notify('storm', repeat('n', 200) || random()) FROM generate_series(1, 10);
SQL
    faulted
    sleep 0.5
    crisis
}

bulk_file() {
    [ -e "$work/bulk.copy" ] || { seq 1 10000 | awk '{ printf "%d\t", $1; for (i = 0; i < 31; i++) printf "%032d", $1 * i; print "" }' >"$work/bulk.copy"; chmod 0644 "$work/bulk.copy"; }
}

copy_bulk() { sql "COPY faults.bulk FROM '$work/bulk.copy'"; }

row_copy() {
    about serves "bulk COPY: 10,000 rows of 1 kB in each, with pauses of 0.1 s"
    bulk_file
    again copy_and_rest
    crisis
    sql 'TRUNCATE faults.bulk'
}

copy_and_rest() { copy_bulk && sleep 0.1; }

row_flood() {
    about exempt "a foreign client floods the WAL: 4 sessions COPY without a pause"
    bulk_file
    load flood 4 postgres <<<"COPY faults.bulk FROM '$work/bulk.copy';"
    faulted
    sleep 1
    crisis
    value "named $(sql "SELECT count(*) FROM paws_sync.doctor() WHERE NOT ok AND check_name = 'WAL of one client'")"
    note "$(sql "SELECT coalesce(string_agg(check_name || ': ' || value, '; '), 'doctor() names nobody') FROM paws_sync.doctor() WHERE NOT ok AND check_name = 'WAL of one client'")"
    end_faults
    sql 'TRUNCATE faults.bulk'
}

# Together they take more processor time than two cores have in 200 ms, so the bound counts from the commit of each.
row_thousand() {
    about serves "1,000 pushes of 1,000 subjects at one moment, each by a session of its own, every 2 s; 100 of them watched"
    fresh -c max_connections=1200
    subjects 1000
    value "judged commit"
    faulted
    crisis pushers=1000 operations=$((operations < 1000 ? 1000 : operations)) rate=500 burst=1 consumers=100
}

row_thousand_pooled() {
    about serves "1,000 pushes of 1,000 subjects at one moment, by a pool of 16 connections"
    subjects 1000
    value "judged commit"
    faulted
    crisis pushers=16 operations=1000 rate=0 burst=1 consumers=50
}

row_hundred() {
    about serves "100 pushes on one subject at one moment, once a second"
    subjects 1
    faulted
    crisis pushers=100 operations=$((operations / 10)) rate=100 burst=1
}

# responded: from raise_crisis to a waiting responder, so many times; false where the version has no signals.
responded() {
    [ "$(sql "SELECT to_regproc('paws_sync.raise_crisis') IS NOT NULL")" = t ] || { skip "this version raises no signals"; return 1; }
    limit claimable.max 200000
    subjects 16
}

respond() { timed respond claimable "'$row', $rounds"; }

row_signals() {
    about serves "raise_crisis until a responder has the item, both cores saturated"
    responded || return 0
    pgbench_tables
    background "$PG_BIN/pgbench" -n -M prepared -b select-only -c 16 -j 1 -T 3600 "$(conninfo)"
    faulted
    respond
    crisis operations=$((operations / 5))
}

row_signals_locked() {
    about serves "the same while every table of queue, care, vault, billing and audit is locked"
    responded || return 0
    hold "BEGIN; LOCK TABLE $(foreign $all_foreign | paste -sd, -) IN ACCESS EXCLUSIVE MODE"
    faulted
    respond
    crisis operations=$((operations / 5))
    let_go
}
