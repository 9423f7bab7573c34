# horizon: the same flow while an old snapshot keeps every dead row, and the sag between two vacuums. Sourced by run.sh.
# shellcheck shell=bash disable=SC2034,SC2154
#
#   PASS=500000  jobs that pass      HORIZON_ROUNDS=…  rounds of this part alone

pass=${PASS:-500000}

# `pass` jobs by 100 with 4 consumers, then one at a time; fresh before that. Without and with a snapshot, never vacuumed.
horizon_case() { # ENGINE none|held ROUND
    local engine=$1 snapshot=$2 round=$3 kind name=horizon.$1.$2 batch=100 consumers=4
    kind=$(engine_cluster "$engine")
    if [ "$engine" = pgq ]; then
        batch=0
        consumers=1
    fi
    empty "$engine" >/dev/null
    fill "$engine" $((pass + 40000)) 1000
    autovacuum "$kind" off
    [ "$snapshot" = none ] || hold "$kind"
    if [ "$engine" != pgq ]; then
        consume "$engine" 1 4 rows=10000 stop_empty=1 seconds="$duration"
        measured "$name.fresh" "$round" "$(loaded taken 4)"
    fi
    consume "$engine" "$batch" "$consumers" rows="$pass" stop_empty=1 seconds=20
    measured "$name.passing" "$round" "$(loaded taken 4)"
    measured "$name.passed" "$round" "$(loaded taken 2)"
    if [ "$engine" != pgq ]; then
        consume "$engine" 1 4 rows=10000 stop_empty=1 seconds="$duration"
        measured "$name.after" "$round" "$(loaded taken 4)"
    fi
    [ "$snapshot" = none ] || release
    autovacuum "$kind" on
    empty "$engine" >/dev/null
}

part_horizon() {
    local engine round rounds=${HORIZON_ROUNDS:-$rounds}
    engines bare ours unsealed pgq graphile
    for ((round = 1; round <= rounds; round++)); do
        for engine in "${available[@]}"; do
            say "horizon: $engine, round $round of $rounds"
            horizon_case "$engine" none "$round"
            horizon_case "$engine" held "$round"
        done
    done
    remark "$pass jobs passed in batches of 100 (4 consumers, at most 20 s); before and after that 4 consumers took one at a time." \
        "No vacuum ran in between. pg-boss is left out: it keeps what is finished in any case."
}
