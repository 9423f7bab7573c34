# work: jobs claimed and completed, one at a time and in batches of 100. Sourced by run.sh.
# shellcheck shell=bash disable=SC2034,SC2154
#
#   PREFILL=120000       jobs that wait when one at a time begins
#   PREFILL_MANY=500000  jobs that wait when batches begin

prefill=${PREFILL:-120000}
prefill_many=${PREFILL_MANY:-500000}

work_case() { # ENGINE BATCH CONSUMERS ROUND
    local engine=$1 batch=$2 consumers=$3 round=$4 rows=$prefill
    [ "$batch" = 1 ] || rows=$prefill_many
    [ "$engine" != pgboss ] || rows=$((prefill / 6))    # its fetch sorts all that waits
    fill "$engine" "$rows"
    consume "$engine" "$batch" "$consumers" stop_empty=1 seconds="$duration"
    measured "work.$engine.$batch.$consumers" "$round" "$(loaded taken 4)"
    empty "$engine" >/dev/null
}

# PgQ has one consumer, and batches from tick to tick.
work_pgq() { # ROUND
    local tick
    for tick in 100 1000; do
        fill pgq "$prefill_many" "$tick"
        consume pgq 0 1 stop_empty=1 seconds="$duration"
        measured "work.pgq.$tick.1" "$1" "$(loaded taken 4)"
        empty pgq
    done
}

work_by_clients() {
    local variant rate
    for variant in one four sixteen local; do
        wanted graphile || break
        fill graphile "$prefill"
        rate=$(node_peer client.js "$dir/plain" "$port" paws graphile work "$variant" "$prefill" "$duration")
        measured "work.graphile_node.$variant" 1 "$rate"
        empty graphile
    done
    for variant in one four sixteen many_one many_four many_sixteen; do
        wanted pgboss || break
        fill pgboss $((prefill / 6))
        rate=$(node_peer client.js "$dir/plain" "$port" paws pgboss work "$variant" $((prefill / 6)) "$duration")
        measured "work.pgboss_node.$variant" 1 "$rate"
        empty pgboss
    done
}

part_work() {
    local round engine batch consumers
    engines bare ours firm unsealed graphile pgboss
    for ((round = 1; round <= rounds; round++)); do
        say "work: round $round of $rounds"
        for batch in 1 100; do
            for consumers in 1 4 16; do
                for engine in "${available[@]}"; do work_case "$engine" "$batch" "$consumers" "$round"; done
            done
        done
        ! wanted pgq || work_pgq "$round"
    done
    remark "pg-boss had $((prefill / 6)) jobs waiting at the beginning, for it gets slower with each; the others $prefill," \
        "or $prefill_many for batches."
    say "work: the peers' own clients"
    work_by_clients
}
