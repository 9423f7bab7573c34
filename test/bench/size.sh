# size: bytes of table, index and WAL that a job costs, in and out. Sourced by run.sh.
# shellcheck shell=bash disable=SC2034,SC2154
#
#   FLOW=120000  jobs of the steady flow

flow=${FLOW:-120000}

# Sets of 100 go in at 6,000 jobs a second while batches of 100 go out.
size_steady() { # ENGINE
    local engine=$1 kind before table index table_after index_after feeder batch=100
    kind=$(engine_cluster "$engine")
    empty "$engine" >/dev/null
    sql "$kind" CHECKPOINT
    if [ "$engine" = pgq ]; then
        batch=0
        ticks 100
    fi
    read -r table index < <(sizes "$engine")
    before=$(lsn "$kind")
    put_load "$engine" put_many 1 -R 60 -t $((flow / 100)) >/dev/null &
    feeder=$!
    consume "$engine" "$batch" 1 idle=5000 rows="$flow" seconds=$((flow / 6000 + 30))
    wait "$feeder"
    measured "size.$engine.wal" 1 "$(calc "($(lsn "$kind") - $before) / $(loaded taken 2)")"
    read -r table_after index_after < <(sizes "$engine")
    measured "size.$engine.table" 1 "$(calc "($table_after - $table) / $(loaded taken 2)")"
    measured "size.$engine.index" 1 "$(calc "($index_after - $index) / $(loaded taken 2)")"
    measured "size.$engine.passed" 1 "$(loaded taken 2)"
    [ "$engine" != pgq ] || no_ticks
    empty "$engine" >/dev/null
}

# One at a time in and out, 4 clients.
size_single() { # ENGINE
    local engine=$1 kind before rows
    kind=$(engine_cluster "$engine")
    rows=$((flow / 10 / 4 * 4))
    sql "$kind" CHECKPOINT
    before=$(lsn "$kind")
    put_load "$engine" put 4 -t $((rows / 4)) >/dev/null
    consume "$engine" 1 4 stop_empty=1 rows="$rows" seconds=120
    measured "size.$engine.wal_single" 1 "$(calc "($(lsn "$kind") - $before) / $rows")"
    empty "$engine" >/dev/null
}

part_size() {
    local engine kind
    for kind in "${!started[@]}"; do away "$kind"; done     # no room of earlier work in the tables
    engines bare ours unsealed pgq graphile pgboss
    for engine in "${available[@]}"; do
        say "size: $engine"
        size_steady "$engine"
        [ "$engine" = pgq ] || size_single "$engine"
    done
    remark "$flow jobs at 6,000 a second in sets of 100, autovacuum on; table and index are what was left behind at the end," \
        "for each job that passed, before a vacuum by hand; WAL is all that the server wrote meanwhile, from a checkpoint on."
}
