# Rows of the matrix: processes that die. Sourced by run.sh.
# shellcheck shell=bash disable=SC2034,SC2154

# Clients that hold the subjects now and then, so that pushes go to the lane's queue and its workers have work.
holders() {
    sql "SELECT max(n) FROM faults.subject WHERE name LIKE '$row.%'" >/dev/null
    load holders "${1:-4}" crisis_client -D row="$row" <<'SQL'
\set n random(1, 16)
SELECT device FROM faults.subject WHERE name = :row::text || '.' || :n::text \gset
BEGIN;
SELECT outcome FROM paws_sync.push_crisis(:device, jsonb_build_array(jsonb_build_object('op_id', gen_random_uuid(), 'doc_id', gen_random_uuid(), 'collection', 'faults_safety', 'base_revision', 0, 'payload', 'e30=')));
\sleep 250 ms
COMMIT;
\sleep 50 ms
SQL
}

terminate() { # CONDITION SECONDS
    [ "$(sql "SELECT count(pg_terminate_backend(pid)) > 0 FROM paws_sync.pg_stat_paws_sync_workers WHERE pid IS NOT NULL AND ($1)")" = t ] && sleep "$2"
}

row_worker_term() {
    about serves "a crisis worker terminated every 0.1 s, while others hold subjects and pushes go to the queue"
    subjects 16
    holders
    again terminate "kind = 'crisis' AND pid = (SELECT w.pid FROM paws_sync.pg_stat_paws_sync_workers w WHERE w.kind = 'crisis' AND w.pid IS NOT NULL ORDER BY random() LIMIT 1)" 0.1
    crisis pushers=64
}

row_takeover() {
    about serves "takeover: a crisis worker terminated just before it could take what is queued"
    limit takeover.max 200000
    subjects 16
    timed takeover takeover "'$(awk 'NR == 1 { print $1 }' "$work/subjects")', $rounds"
    faulted
    crisis operations=$((operations / 5))
}

kill_hard() { # CONDITION
    local pid
    pid=$(sql "SELECT pid FROM paws_sync.pg_stat_paws_sync_workers WHERE pid IS NOT NULL AND ($1) LIMIT 1")
    [ -n "$pid" ] && as_server kill -KILL "$pid"
}

row_worker_kill() {
    about restarts "a crisis worker killed by -9: the server restarts itself"
    subjects 16
    holders 2
    when_begun 1.5 kill_hard "kind = 'crisis'"
    crisis pushers=64
}

row_worker_kill_loaded() {
    about restarts "the same under 16 durable writers"
    load writers 16 <<'SQL'
INSERT INTO faults.bare (payload) VALUES (repeat('b', 287));
SQL
    sleep 1
    when_begun 1.5 kill_hard "kind = 'crisis'"
    crisis
}

row_postmaster_kill() {
    about restarts "the postmaster and all others killed by -9, and started again"
    when_begun 1.5 kill_and_start
    crisis
}

kill_and_start() {
    local pid pids
    pid=$(head -n 1 "$dir/$current/data/postmaster.pid")
    pids=$(ps -o pid= --ppid "$pid")
    # shellcheck disable=SC2086
    as_server kill -KILL "$pid" $pids
    while as_server kill -0 "$pid" 2>/dev/null; do sleep 0.01; done
    cluster "$current" restart
}

row_ordinary_workers() {
    about serves "every ordinary worker terminated, every 0.1 s"
    ordinary_load 2
    again terminate "kind NOT IN ('crisis', 'launcher')" 0.1
    crisis
}

row_launcher() {
    about serves "the launcher terminated, every 0.2 s, and a crisis worker with it"
    subjects 16
    holders 2
    again terminate "kind = 'launcher' OR kind = 'crisis' AND pid % 2 = 0" 0.2
    crisis pushers=64
}

row_sealer() {
    about serves "whoever seals is dead: sealer and scheduler terminated as soon as they are there"
    ordinary_load 1
    again terminate "kind IN ('scheduler', 'sealer', 'audit_sealer')" 0.02
    crisis
}
