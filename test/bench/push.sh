# push: the engine's own operations, from push to visible, beside bare statements of the same cluster. Sourced by run.sh.
# shellcheck shell=bash disable=SC2034,SC2154
#
#   QUEUED=50000          operations that wait when apply begins
#   URGENT_OVER=1000000   background operations that wait while urgent ones are measured

queued=${QUEUED:-50000}
urgent_over=${URGENT_OVER:-1000000}

# A client keeps a device for 25 transactions on average, then takes another.
push_scripts() {
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
        echo "SELECT (bench.waiting() < $urgent_over)::integer AS more \\gset"
        echo '\if :more = 1'
        push_many bench_background
        echo '\else'
        echo '\sleep 10 ms'
        echo '\endif'
    } >"$work/feed_background"
}

# Single operations, 16 clients.
single_rows() {
    local round=$1 before began

    before=$(lsn sealed)
    measured push.bare_insert "$round" "$(load sealed bare_insert 16 -T "$duration")"
    measured push.bare_insert_wal "$round" "$(calc "($(lsn sealed) - $before) / $(transactions bare_insert)")"

    before=$(lsn sealed)
    began=$(date +%s.%N)
    measured push.push "$round" "$(load sealed push 16 -T "$duration")"
    sql sealed 'CALL bench.drain()' >/dev/null
    measured push.push_applied "$round" "$(calc "$(transactions push) / ($(date +%s.%N) - $began)")"
    measured push.push_wal "$round" "$(calc "($(lsn sealed) - $before) / $(transactions push)")"

    workers sealed off
    measured push.push_paused "$round" "$(load sealed push 16 -T "$duration")"
    workers sealed on
    sql sealed 'CALL bench.drain()' >/dev/null
}

# Sets of 100, 4 clients; what they leave is what claim and apply work on.
sets_of_rows() {
    local round=$1 before runs=$((queued / 400)) written turns left

    measured push.bare_insert_100 "$round" "$(calc "100 * $(load sealed bare_insert_100 4 -T "$duration")")"
    before=$(lsn sealed)
    measured push.push_many "$round" "$(calc "100 * $(load sealed push_many 4 -T "$duration")")"
    sql sealed 'CALL bench.drain()' >/dev/null
    measured push.push_many_wal "$round" "$(calc "($(lsn sealed) - $before) / (100 * $(transactions push_many))")"

    workers sealed off
    before=$(lsn sealed)
    measured push.push_many_paused "$round" "$(calc "100 * $(load sealed push_many 4 -t "$runs")")"
    written=$(($(lsn sealed) - before))

    sql sealed 'TRUNCATE bench.bare_queue'
    sql sealed "INSERT INTO bench.bare_queue (payload) SELECT '$payload_hex' FROM generate_series(1, $((runs * 400)))"
    sql sealed 'VACUUM ANALYZE bench.bare_queue'
    before=$(lsn sealed)
    turns=$(load sealed bare_delete_100 4 -t "$runs")
    left=$(sql sealed 'SELECT count(*) FROM bench.bare_queue')
    measured push.bare_delete_100 "$round" "$(calc "$turns * ($runs * 400 - $left) / ($runs * 4)")"
    measured push.bare_delete_wal "$round" "$(calc "($(lsn sealed) - $before) / ($runs * 400)")"

    before=$(lsn sealed)
    workers sealed on
    measured push.apply "$round" "$(sql sealed 'CALL bench.drain()')"
    measured push.queued_wal "$round" "$(calc "($written + $(lsn sealed) - $before) / ($runs * 400)")"
}

# The same while another session keeps its snapshot: nothing that is finished can be cleaned away.
with_old_snapshot() {
    local round=$1 runs=$((queued / 400))

    hold sealed
    load sealed push_many 4 -t "$runs" >/dev/null
    sql sealed 'CALL bench.drain()' >/dev/null
    workers sealed off
    load sealed push_many 4 -t "$runs" >/dev/null
    workers sealed on
    measured push.apply_old_snapshot "$round" "$(sql sealed 'CALL bench.drain()')"
    release
}

latency_when_empty() {
    local name count p50 p99 max

    cc -O2 -I"$("$PG_CONFIG" --includedir)" -o "$work/visible" "$here/visible.c" \
        -L"$("$PG_CONFIG" --libdir)" -lpq 2>>"$work/log"
    "$work/visible" "$(conninfo sealed)" $((100 * duration)) "$payload_hex" >"$work/visible.out"
    while read -r name count p50 p99 max; do
        measured "push.$name.p50" 1 "$(calc "$p50 / 1000" 3)"
        measured "push.$name.p99" 1 "$(calc "$p99 / 1000" 3)"
        measured "push.$name.max" 1 "$(calc "$max / 1000" 3)"
    done <"$work/visible.out"
}

# Urgent operations while the pool has its hands full with background ones, and more of them come.
latency_under_backlog() {
    local seconds=$((2 * duration)) class tier count p50 p99 max attainment before after

    workers sealed off
    load sealed push_background 4 -t "$((urgent_over / 400))" >/dev/null
    workers sealed on
    until [ "$(sql sealed 'SELECT bench.waiting()')" -lt $((urgent_over - 400)) ]; do sleep 0.1; done
    load sealed feed_background 2 -T $((seconds + 2)) >/dev/null &
    load sealed push_basic 2 -R 100 -T $((seconds + 1)) >/dev/null &
    before=$(sql sealed 'SELECT paws_sync.stat_reset()' >/dev/null; sql sealed 'SELECT bench.waiting()')
    load sealed push 4 -R 200 -T "$seconds" >/dev/null
    after=$(sql sealed 'SELECT bench.waiting()')
    while IFS='|' read -r class tier count p50 p99 max attainment; do
        measured "push.backlog_$class.$tier.count" 1 "$count"
        measured "push.backlog_$class.$tier.p50" 1 "$p50"
        measured "push.backlog_$class.$tier.p99" 1 "$p99"
        measured "push.backlog_$class.$tier.max" 1 "$max"
        measured "push.backlog_$class.$tier.attainment" 1 "$attainment"
    done < <(sql sealed "SELECT class, tier, count, round(p50::numeric, 1), round(p99::numeric, 1), round(max::numeric, 1),
        round(attainment::numeric, 4) FROM paws_sync.pg_stat_paws_sync_latency
        WHERE count > 0 AND class IN ('interactive', 'background')")
    measured push.backlog_before 1 "$before"
    measured push.backlog_after 1 "$after"
    measured push.backlog_rate 1 "$(calc "$(get push.backlog_background.premium.count 1) / $seconds")"
    wait
}

part_push() {
    local round
    need sealed
    push_scripts
    for ((round = 1; round <= rounds; round++)); do
        say "push: round $round of $rounds"
        single_rows "$round"
        sets_of_rows "$round"
        with_old_snapshot "$round"
    done
    say "push: latency with an empty queue"
    latency_when_empty
    say "push: latency with $urgent_over background operations waiting"
    latency_under_backlog
    away sealed             # with what still waits
}
