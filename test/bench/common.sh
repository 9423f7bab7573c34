# Common parts of the benchmarks: clusters, load, values. Sourced by run.sh, never run.
# shellcheck shell=bash disable=SC2034,SC2154

duration=${DURATION:-5}
rounds=${ROUNDS:-3}
dir=${DIR:-${TMPDIR:-/tmp}/paws_bench.$(id -un)}
port=54339
here=$TOP/test/bench
output=$TOP/test/output/bench
# A private copy of the server for each build; the installed one is not touched.
unset SERVER_ROOT
find_postgres

work=$(mktemp -d "${TMPDIR:-/tmp}/paws_bench_work.XXXXXX")
chmod 0755 "$work"
log=$work/log
part=
values=$work/none
declare -A started=()

finish() {
    local status=$? kind job
    trap - EXIT INT TERM
    for job in $(jobs -p); do kill "$job" 2>/dev/null || true; done
    if [ "$status" != 0 ] && [ -s "$log" ]; then
        tail -n 20 "$log" >&2
    fi
    for kind in "${!started[@]}"; do
        cluster "$kind" down || true
    done
    rmdir "$dir" 2>/dev/null || true
    rm -rf -- "$work"
    exit "$status"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# What a job or operation carries: 287 bytes that hardly shrink, as they are, as hexadecimal digits of a bytea, as
# base64, and as JSON of 287 bytes.
payload_text=$(awk 'BEGIN { x = 7; for (i = 0; i < 287; i++) { x = (x * 16807) % 2147483647
    printf "%s", substr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSUVWXYZ0123456789", 1 + x % 61, 1) } }')
payload_hex="\\x$(printf %s "$payload_text" | od -An -v -tx1 | tr -d ' \n')"
payload_base64=$(printf %s "$payload_text" | base64 -w 0)
payload_json="{\"p\":\"${payload_text:0:279}\"}"

# ---- clusters: plain (bare statements and peers, without our library), sealed, unsealed (a build that seals nothing)

cluster() { # KIND up|down|restart ARGUMENTS...
    local kind=$1 action=$2 root=$1
    shift 2
    [ "$kind" != plain ] || root=sealed
    SERVER_ROOT=$work/server/$root bash "$TOP/test/cluster.sh" "$action" --no-build --dir "$dir/$kind" --port "$port" "$@" \
        >/dev/null 2>>"$log"
}

conninfo() { echo "host=$dir/$1 port=$port dbname=paws user=postgres"; }
sql() { "$PG_BIN/psql" -X -A -t -q -v ON_ERROR_STOP=1 -d "$(conninfo "$1")" -c "$2" 2>>"$log"; }
file() { "$PG_BIN/psql" -X -q -o /dev/null -v ON_ERROR_STOP=1 -d "$(conninfo "$1")" -f "$2" 2>>"$log"; }

# ours_has FUNCTION: whether the build has it; each part that needs one says so where it does not.
ours_has() { [ "$(sql sealed "SELECT to_regproc('paws_sync.$1') IS NOT NULL")" = t ]; }

build_sealed() {
    [ ! -d "$work/server/sealed" ] || return 0
    build
    make -s -C "$TOP" PG_CONFIG="$PG_CONFIG" DESTDIR="$work/server/sealed" install >>"$log" 2>&1 || die "the installation failed"
}

build_unsealed() {
    local tree=$work/unsealed
    mkdir -p "$tree"
    tar -C "$TOP" --exclude=./.git --exclude='*.o' --exclude=./paws_sync.so --exclude=./test/output -cf - . | tar -C "$tree" -xf -
    make -s -C "$tree" -j "$(nproc)" UNSEALED=1 PG_CONFIG="$PG_CONFIG" all >>"$log" 2>&1 || die "the build without sealing failed"
    make -s -C "$tree" UNSEALED=1 PG_CONFIG="$PG_CONFIG" DESTDIR="$work/server/unsealed" install >>"$log" 2>&1
}

settings=(-c shared_buffers=1GB -c max_wal_size=4GB -c checkpoint_timeout=30min -c synchronous_commit=on -c max_connections=120)

start_plain() {
    build_sealed
    cluster plain up --no-database "${settings[@]}" -c shared_preload_libraries=
    "$PG_BIN/psql" -X -q -d "$(conninfo plain | sed 's/dbname=paws/dbname=postgres/')" -c 'CREATE DATABASE paws'
    file plain "$here/plain.sql"
    install_peers
}

start_sealed() {
    build_sealed
    cluster sealed up "${settings[@]}"
    file sealed "$here/setup.sql"
}

start_unsealed() {
    build_unsealed
    cluster unsealed up "${settings[@]}"
    file unsealed "$here/setup.sql"
}

# need CLUSTER...: brings up those that are not there yet.
need() {
    local kind
    for kind; do
        [ -z "${started[$kind]:-}" ] || continue
        say "starting the cluster: $kind"
        cluster "$kind" down || true
        started[$kind]=1
        "start_$kind" || die "the cluster \"$kind\" did not come up"
    done
}

# away CLUSTER: takes it down; the next part that needs it gets a new one.
away() {
    cluster "$1" down
    unset "started[$1]"
    rm -f "$work/topic.$1"
}

# The peers of the npm registry, by the versions of peers/package-lock.json, into the output folder.
install_peers() {
    local folder=$output/peers
    mkdir -p "$folder"
    if ! cmp -s "$here/peers/package-lock.json" "$folder/package-lock.json" || [ ! -d "$folder/node_modules" ]; then
        say "installing graphile-worker and pg-boss"
        cp "$here/peers/package.json" "$here/peers/package-lock.json" "$folder/"
        (cd "$folder" && npm ci --ignore-scripts --no-audit --no-fund) >>"$log" 2>&1 ||
            { rm -f "$folder/package-lock.json"; die "npm could not install the peers"; }
    fi
    mkdir -p "$work/statements"
    node_peer statements.js "$dir/plain" "$port" paws "$work/statements" "$payload_json" || die "the peers' schemas were not installed"
}

node_peer() { # SCRIPT ARGUMENTS...
    local script=$1
    shift
    NODE_PATH=$output/peers/node_modules node "$here/peers/$script" "$@" 2>>"$log"
}

# ---- values: "name round value", a file for each part

begin_part() { # NAME
    part=$1
    mkdir -p "$output/values"
    values=$output/values/$part
    : >"$values"
    printf '# date %s\n# load %s\n# duration %s\n# rounds %s\n# version %s\n# commit %s\n' "$(date -u '+%Y-%m-%d %H:%M UTC')" \
        "$(cut -d ' ' -f 1 /proc/loadavg)" "$duration" "$rounds" \
        "$(built_version)" "$(git -c safe.directory="$TOP" -C "$TOP" rev-parse --short HEAD 2>/dev/null || echo unknown)" >>"$values"
}

measured() { printf '%s %s %s\n' "$1" "$2" "$3" >>"$values"; }
# remark TEXT: a sentence that the results show under the part's tables.
remark() { printf '# remark %s\n' "$*" >>"$values"; say "$*"; }
get() { awk -v name="$1" -v round="$2" '$1 == name && $2 == round { print $3 }' "$values"; }
calc() { awk "BEGIN { printf \"%.${2:-1}f\", $1 }"; }
lsn() { sql "$1" "SELECT pg_current_wal_insert_lsn() - '0/0'"; }

# ---- load

# load CLUSTER SCRIPT CLIENTS OPTIONS...: transactions a second of a pgbench script in the work folder.
load() {
    local kind=$1 script=$2 clients=$3
    shift 3
    "$PG_BIN/pgbench" -n -M prepared -f "$work/$script" -c "$clients" -j 2 -D "hex=$payload_hex" -D "text=$payload_text" \
        -D "json=$payload_json" -D "base64=$payload_base64" -D known=0 "$@" "$(conninfo "$kind")" \
        >"$work/$script.out" 2>>"$log" || { cat "$work/$script.out" >>"$log"; die "pgbench of $script failed"; }
    awk '/^tps = / { print $3 }' "$work/$script.out"
}

transactions() { awk '/^number of transactions actually processed/ { split($NF, n, "/"); print n[1] }' "$work/$1.out"; }

queue_load() { # CLUSTER OPTIONS...: see queue_load.c; its output is in $work/queue_load.out
    local kind=$1
    shift
    if [ ! -x "$work/queue_load" ]; then
        gcc -std=gnu11 -O2 -pthread -I"$("$PG_CONFIG" --includedir)" -o "$work/queue_load" \
            "$here/queue_load.c" "$here/queue_load_sessions.c" -L"$("$PG_CONFIG" --libdir)" -lpq 2>>"$log"
    fi
    "$work/queue_load" "$(conninfo "$kind")" "$@" >"$work/queue_load.out" 2>>"$log" || die "queue_load failed"
}

loaded() { awk -v name="$1" -v column="$2" '$1 == name { print $column }' "$work/queue_load.out"; }

# latencies NAME PREFIX: milliseconds of one kind of time of the last queue_load, as PREFIX.p50 and so on.
latencies() {
    local name count p50 p99 p999 max
    read -r name count p50 p99 p999 max < <(grep "^$1 " "$work/queue_load.out") || return 0
    measured "$2.count" 1 "$count"
    measured "$2.p50" 1 "$(calc "$p50 / 1000" 3)"
    measured "$2.p99" 1 "$(calc "$p99 / 1000" 3)"
    measured "$2.p999" 1 "$(calc "$p999 / 1000" 3)"
    measured "$2.max" 1 "$(calc "$max / 1000" 3)"
}

workers() { # CLUSTER on|off
    sql "$1" "ALTER SYSTEM SET paws_sync.databases = '$([ "$2" = on ] && echo paws)'"
    sql "$1" 'SELECT pg_reload_conf()' >/dev/null
    [ "$2" = off ] || return 0
    until [ "$(sql "$1" 'SELECT count(*) FROM paws_sync.pg_stat_paws_sync_workers WHERE database IS NOT NULL')" = 0 ]; do
        sleep 0.1
    done
}

# hold CLUSTER: opens a REPEATABLE READ snapshot and keeps it; release lets go.
hold() {
    coproc HOLDER { "$PG_BIN/psql" -X -A -t -q -d "$(conninfo "$1")"; }
    holder=$HOLDER_PID
    echo 'BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM pg_class;' >&"${HOLDER[1]}"
    read -r _ <&"${HOLDER[0]}"
}

release() {
    echo '\q' >&"${HOLDER[1]}"
    wait "$holder" || true
}

autovacuum() { # CLUSTER on|off
    sql "$1" "ALTER SYSTEM SET autovacuum = $2"
    sql "$1" 'SELECT pg_reload_conf()' >/dev/null
}
