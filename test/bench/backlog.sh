# backlog: urgent jobs over a backlog of lower ones while all consumers are busy, and what a claim costs then. Sourced by run.sh.
# shellcheck shell=bash disable=SC2034,SC2154
#
#   BACKLOG=1000000  jobs that wait            DEEP=1  ten times as many for the cost of a claim, ours and bare

backlog=${BACKLOG:-1000000}

# claim_cost ENGINE NAME JOBS: one consumer, so many of the jobs that are served first.
claim_cost() {
    consume "$1" 1 1 rows="$3" stop_empty=1 seconds=30
    latencies take "$2.take"
    latencies ack "$2.complete"
}

put_urgent() { # ENGINE ROWS
    local class=interactive
    put_load "$1" put 4 -t $((($2 + 3) / 4)) >/dev/null
}

# With few urgent jobs there, with these over the backlog, and with the backlog alone; in pg-boss urgent has the higher number.
claim_costs() { # ENGINE ROWS NAME
    local engine=$1 rows=$2 name=$3 urgent=4000 looked_at=3000
    if [ "$engine" = pgboss ]; then     # some in a second, over so many
        urgent=200
        looked_at=100
    fi
    empty "$engine" >/dev/null
    put_urgent "$engine" "$urgent"
    sql "$(engine_cluster "$engine")" 'VACUUM ANALYZE'
    claim_cost "$engine" "$name.few" "$looked_at"
    empty "$engine" >/dev/null
    fill "$engine" "$rows"
    put_urgent "$engine" "$urgent"
    claim_cost "$engine" "$name.over" "$looked_at"
    consume "$engine" 1 4 rows=$((urgent - looked_at)) stop_empty=1 seconds=30
    claim_cost "$engine" "$name.within" "$looked_at"
}

# Four consumers of one job each are busy with the backlog; what they get of the urgent ones is timed.
latency_over_backlog() { # ENGINE RATE
    local engine=$1 options class=interactive waited=0
    mapfile -t options < <(producing "$engine" "$2")
    [ "$engine" = pgq ] && waited=2000
    consume "$engine" "$([ "$engine" = pgq ] && echo 0 || echo 1)" "$([ "$engine" = pgq ] && echo 1 || echo 4)" \
        seconds="$latency_seconds" idle="$waited" "${options[@]}"
    note_latency "backlog.$engine"
    measured "backlog.$engine.rate" 1 "$(loaded taken 4)"
}

backlog_pgq() {
    say "backlog: pgq, which has no priorities"
    empty pgq
    fill pgq "$backlog" 1000
    ticks 10
    latency_over_backlog pgq 50
    no_ticks
    empty pgq
}

part_backlog() {
    local engine
    engines prio ours unsealed graphile pgboss
    for engine in "${available[@]}"; do
        say "backlog: $engine"
        claim_costs "$engine" "$backlog" "claim.$engine"
        latency_over_backlog "$engine" 50
        empty "$engine" >/dev/null
    done
    for engine in graphile pgboss; do
        wanted "$engine" || continue
        say "backlog: $engine, its own worker in node"
        fill "$engine" "$backlog"
        latency_by_client "$engine" "backlog.${engine}_node" 50
        empty "$engine"
    done
    ! wanted pgq || backlog_pgq
    if [ -n "${DEEP:-}" ]; then
        engines prio ours
        for engine in "${available[@]}"; do
            say "backlog: $engine, $((10 * backlog)) jobs"
            claim_costs "$engine" $((10 * backlog)) "deep.$engine"
            empty "$engine" >/dev/null
        done
    fi
    remark "$backlog jobs of a lower level waited; 50 urgent jobs a second, 4 consumers of one job at a time. PgQ has no" \
        "priorities and one consumer: urgent jobs come when all before them is through. The peers' workers in node: 10 at once" \
        "(graphile-worker), and by 100 each 0.5 s (pg-boss)."
}
