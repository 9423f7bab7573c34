# latency: from the call that puts a job to its receipt by a waiting worker, 50 a second. Sourced by run.sh.
# shellcheck shell=bash disable=SC2034,SC2154

latency_seconds=$((2 * duration))

producing() { # ENGINE RATE
    printf '%s\n' "put=$(put_sql "$1")" "form=$(form_of "$1")" "rate=$2"
}

note_latency() { # NAME
    latencies call_to_ack "$1.put"
    latencies call_to_receipt "$1.call"
    latencies ack_to_receipt "$1.ack"
    measured "$1.missing" 1 "$(calc "$(loaded call_to_ack 2) - 0$(loaded call_to_receipt 2)" 0)"
}

# ticks MILLISECONDS: PgQ's ticker by hand, in the background; its process is in $ticker.
ticks() {
    sql plain "SELECT pgq.set_queue_config('bench', 'ticker_max_count', '1')" >/dev/null
    sql plain "SELECT pgq.set_queue_config('bench', 'ticker_max_lag', '0')" >/dev/null
    printf "SELECT pgq.ticker('bench');\n\\\\sleep %s ms\n" "$1" >"$work/ticks"
    "$PG_BIN/pgbench" -n -f "$work/ticks" -T 3600 "$(conninfo plain)" >/dev/null 2>&1 &
    ticker=$!
}

no_ticks() {
    kill "$ticker" 2>/dev/null || true
    wait "$ticker" 2>/dev/null || true
}

# The peers' workers in node note when they got what; the producer's log tells when that was put.
latency_by_client() { # PEER NAME RATE
    local peer=$1 name=$2 rate=$3 options receiver
    mkfifo "$work/end"
    : >"$work/ready"
    NODE_PATH=$output/peers/node_modules node "$here/peers/client.js" "$dir/plain" "$port" paws "$peer" receive \
        <"$work/end" >"$work/received" 2>"$work/ready" &
    receiver=$!
    exec 9>"$work/end"
    until grep -q ready "$work/ready"; do
        kill -0 "$receiver" 2>/dev/null || { cat "$work/ready" >&2; die "the worker of $peer did not start"; }
        sleep 0.1
    done
    sleep 1
    mapfile -t options < <(producing "$peer" "$rate")
    queue_load plain "${options[@]}" seconds="$latency_seconds" log="$work/sent"
    sleep 2
    exec 9>&-
    wait "$receiver"
    rm "$work/end"
    {
        grep '^call_to_ack' "$work/queue_load.out"
        join_times 2 call_to_receipt
        join_times 3 ack_to_receipt
    } >"$work/joined"
    mv "$work/joined" "$work/queue_load.out"
    note_latency "$name"
}

join_times() { # COLUMN NAME: as queue_load prints them
    awk -v column="$1" 'NR == FNR { at[$1] = $2; next } $1 in at { print at[$1] - $column }' "$work/received" "$work/sent" | sort -n |
        awk -v name="$2" '{ v[NR] = $1 } END { if (NR) print name, NR, v[int(NR / 2) + 1], v[int((NR - 1) * 0.99) + 1],
            v[int((NR - 1) * 0.999) + 1], v[NR] }'
}

latency_ours() { # ENGINE
    local options
    mapfile -t options < <(producing "$1" 50)
    consume "$1" 1 1 seconds="$latency_seconds" "${options[@]}" \
        take="SELECT job, fence, payload FROM paws_sync.claim_wait(ARRAY['bench'], 1, NULL, '1 s')"
    note_latency "latency.$1"
    empty "$1" >/dev/null
}

latency_bare() {
    local put='INSERT INTO bench.bare (payload) VALUES ($1::bytea)'
    consume bare 1 1 seconds="$latency_seconds" rate=50 form=hex put="$put" idle=1000
    note_latency latency.bare_poll
    consume bare 1 1 seconds="$latency_seconds" rate=50 form=hex listen=bench \
        put="WITH put AS (INSERT INTO bench.bare (payload) VALUES (\$1::bytea) RETURNING id) SELECT pg_notify('bench', '') FROM put"
    note_latency latency.bare_notify
    empty bare
}

latency_pgq() {
    local options
    empty pgq
    mapfile -t options < <(producing pgq 50)
    ticks 10
    consume pgq 0 1 seconds="$latency_seconds" idle=2000 "${options[@]}"
    note_latency latency.pgq
    no_ticks
    empty pgq
}

part_latency() {
    local engine
    need plain
    engines ours unsealed
    say "latency: an empty queue"
    ! wanted bare || latency_bare
    for engine in "${available[@]}"; do latency_ours "$engine"; done
    ! wanted pgq || latency_pgq
    for engine in graphile pgboss; do
        wanted "$engine" || continue
        latency_by_client "$engine" "latency.${engine}_node" 50
        empty "$engine"
    done
    remark "bare: with NOTIFY, and with a poll each ms; PgQ: a ticker each 10 ms and a poll each 2 ms; graphile-worker and" \
        "pg-boss: their own workers in node, pg-boss with its shortest interval of 0.5 s."
}
