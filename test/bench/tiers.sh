# tiers: classes and tiers mixed, below and above capacity, and a flood of one tier beside another. Sourced by run.sh.
# shellcheck shell=bash disable=SC2034,SC2154
#
#   MIXED=4  how many times DURATION the mixture lasts

mixed_seconds=$((${MIXED:-4} * duration))
declare -A first_of=([premium]=0 [basic]=1000 [grace_period]=1100 [trial]=1200)

# of_tier TIER: a device of the tier, or of any of them, kept for 25 transactions on average.
of_tier() {
    echo '\set again random(1, 25)'
    echo '\if :again = 1 or :known = 0'
    if [ "$1" = any ]; then
        echo '\set tier random(0, 3)'
        echo '\set first :tier * 100 + 900'
        echo '\if :tier = 0'
        echo '\set first 0'
        echo '\endif'
    else
        echo "\\set first ${first_of[$1]}"
    fi
    printf '%s\n' '\set n random(1, 100)' 'SELECT device FROM bench.device WHERE n = :first::integer + :n::integer \gset' '\set known 1' '\endif'
}

mixed_one() { # TIER: one operation of a random class
    of_tier "$1"
    echo '\set c random(1, 100)'
    cat <<'PUSH'
SELECT outcome FROM paws_sync.push_many(:device, ARRAY[gen_random_uuid()], ARRAY[bench.mix(:c::integer)], ARRAY[gen_random_uuid()],
    ARRAY[0::bigint], ARRAY[:hex::bytea])
PUSH
}

mixed_many() { # TIER: a hundred
    local uuids='(SELECT array_agg(gen_random_uuid()) FROM generate_series(1, 100))'
    of_tier "$1"
    cat <<PUSH
SELECT count(*) FROM paws_sync.push_many(:device, $uuids, (SELECT array_agg(bench.mix(n::integer)) FROM generate_series(1, 100) n), $uuids,
    array_fill(0::bigint, ARRAY[100]), array_fill(:hex::bytea, ARRAY[100]))
PUSH
}

drained() { sql sealed 'CALL bench.drain()' >/dev/null; }

note_classes() { # NAME
    local class tier count p50 p95 p99 p999 max target attainment
    while IFS='|' read -r class tier count p50 p95 p99 p999 max target attainment; do
        measured "$1.$class.$tier.count" 1 "$count"
        measured "$1.$class.$tier.p50" 1 "$p50"
        measured "$1.$class.$tier.p95" 1 "$p95"
        measured "$1.$class.$tier.p99" 1 "$p99"
        measured "$1.$class.$tier.p999" 1 "$p999"
        measured "$1.$class.$tier.max" 1 "$max"
        measured "$1.$class.$tier.target" 1 "$target"
        measured "$1.$class.$tier.attainment" 1 "$attainment"
    done < <(sql sealed "SELECT class, tier, count, round(p50::numeric, 1), round(p95::numeric, 1), round(p99::numeric, 1),
        round(p999::numeric, 1), round(max::numeric, 1), target,
        round(attainment::numeric, 5) FROM paws_sync.pg_stat_paws_sync_latency WHERE count > 0 AND tier IS NOT NULL")
}

# What is applied in a second when as much is pushed as goes: one at a time, and by 100.
capacity() {
    capacity=$(capacity_of mixed_any 16 1)
    capacity_many=$(capacity_of mixed_many_any 8 100)
    measured tiers.capacity 1 "$capacity"
    measured tiers.capacity_many 1 "$capacity_many"
}

capacity_of() { # SCRIPT CLIENTS EACH
    local began ended
    began=$(date +%s.%N)
    load sealed "$1" "$2" -T "$duration" >/dev/null
    drained
    ended=$(date +%s.%N)
    calc "$3 * $(transactions "$1") / ($ended - $began)" 0
}

below_capacity() {
    sql sealed 'SELECT paws_sync.stat_reset()' >/dev/null
    load sealed mixed_any 16 -R "$(calc "$capacity * 0.8" 0)" -T "$mixed_seconds" >/dev/null
    measured tiers.below.offered 1 "$(calc "$(transactions mixed_any) / $mixed_seconds" 0)"
    drained
    note_classes tiers.below
}

# As much by 100 as 8 clients can, at most twice the capacity. Which class and tier falls below 99 % when: looked at four times a second, to the end of the queue.
above_capacity() {
    local began looker
    sql sealed 'SELECT paws_sync.stat_reset()' >/dev/null
    began=$(date +%s.%N)
    (
        while sleep 0.25; do
            sql sealed "SELECT extract(epoch FROM clock_timestamp()) - $began, class || '.' || tier, attainment
                FROM paws_sync.pg_stat_paws_sync_latency WHERE attainment < 0.99 AND tier IS NOT NULL"
        done >"$work/missed"
    ) &
    looker=$!
    load sealed mixed_many_any 8 -R "$(calc "$capacity_many / 50" 0)" -T $((2 * duration)) >/dev/null
    measured tiers.above.offered 1 "$(calc "100 * $(transactions mixed_many_any) / (2 * $duration)" 0)"
    measured tiers.above.waiting 1 "$(sql sealed 'SELECT bench.waiting()')"
    drained
    kill "$looker" 2>/dev/null || true
    wait "$looker" 2>/dev/null || true
    note_classes tiers.above
    awk -F'|' '!($2 in first) { first[$2] = $1; printf "tiers.above.%s.missed_after 1 %.2f\n", $2, $1 }' "$work/missed" >>"$values"
}

# flood NAME TIER [FLOODED]: the tier's operations at a tenth of the capacity, while another tier brings twice the capacity by 100.
flood() {
    local name=$1 tier=$2 flooded=${3:-} flooder=
    sql sealed 'SELECT paws_sync.stat_reset()' >/dev/null
    if [ -n "$flooded" ]; then
        load sealed "mixed_many_$flooded" 4 -R "$(calc "$capacity_many / 50" 0)" -T $((duration + 1)) >/dev/null &
        flooder=$!
        sleep 1
    fi
    load sealed "mixed_$tier" 4 -R "$(calc "$capacity / 10" 0)" -T "$duration" >/dev/null
    [ -z "$flooder" ] || wait "$flooder"
    drained
    while IFS='|' read -r attainment p99; do
        measured "$name.attainment" 1 "$attainment"
        measured "$name.p99" 1 "$p99"
    done < <(sql sealed "SELECT round((sum(count * attainment) / sum(count))::numeric, 5),
        round(max(p99) FILTER (WHERE class = 'interactive')::numeric, 1)
        FROM paws_sync.pg_stat_paws_sync_latency WHERE tier = '$tier' AND count > 0")
}

part_tiers() {
    local tier pair
    need sealed
    for tier in any premium grace_period basic trial; do
        mixed_one "$tier" >"$work/mixed_$tier"
        mixed_many "$tier" >"$work/mixed_many_$tier"
    done
    say "tiers: capacity"
    capacity
    say "tiers: at 0.8 of $capacity operations a second"
    below_capacity
    say "tiers: above capacity"
    above_capacity
    for tier in premium grace_period basic; do
        say "tiers: $tier alone"
        flood "flood.$tier.none" "$tier"
    done
    # the higher one, or its equal, and the one that floods
    for pair in premium:grace_period grace_period:premium premium:basic grace_period:basic premium:trial grace_period:trial basic:trial; do
        say "tiers: ${pair%:*} while ${pair#*:} floods"
        flood "flood.${pair%:*}.${pair#*:}" "${pair%:*}" "${pair#*:}"
    done
    remark "Capacity: $capacity operations a second pushed one at a time, $capacity_many by 100. Above it 8 clients push by 100, and so do" \
        "4 clients of a tier that floods, up to twice that."
    remark "Mixture by class: control 5 %, session 5 %, interactive 30 %, standard 30 %, bulk 15 %, background 15 %; the four tiers alike."
}
