# Common parts of the fault matrix: clusters, loads, faults, a row from its beginning to its verdict. Sourced by run.sh.
# shellcheck shell=bash disable=SC2034,SC2154

dir=${DIR:-${TMPDIR:-/tmp}/paws_faults.$(id -un)}
port=${PORT:-54341}
output=$TOP/test/output/faults
# A private copy of the server; the installed one is not touched.
unset SERVER_ROOT
find_postgres

operations=10000
rate=500
backlog=1000000
rounds=50
if [ -n "${QUICK:-}" ]; then operations=1000 rate=350 backlog=200000 rounds=10; fi
if [ -n "${SMOKE:-}" ]; then operations=200 rate=200 backlog=20000 rounds=3; fi

work=$(mktemp -d "${TMPDIR:-/tmp}/paws_faults_work.XXXXXX")
chmod 0755 "$work"
log=$work/log
row=
values=$work/none
declare -A started=() built=()
loads=()        # processes of the row that are ended with it
vital=()        # those of them that must be there then
loops=()        # subshells that end by themselves when there is a file "stop"
mounts=()
undo=
unchecked=

finish() {
    local status=$? name
    trap - EXIT INT TERM
    if [ "$status" != 0 ] && [ -s "$log" ]; then
        tail -n 20 "$log" >&2
    fi
    for name in "$dir"/*; do
        [ ! -d "$name" ] || cluster "$(basename "$name")" down || true
    done
    rmdir "$dir" 2>/dev/null || true
    rm -rf -- "$work"
    exit "$status"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# ---- clusters: main, and those that a row has for itself

cluster() { # NAME up|down|restart ARGUMENTS...
    local name=$1 action=$2
    shift 2
    SERVER_ROOT=$work/server/${build:-sealed} bash "$TOP/test/cluster.sh" "$action" --no-build --dir "$dir/$name" --port "$port" "$@" \
        >/dev/null 2>>"$log"
}

current=main
other=          # a second server that clients try, whichever of the two can be written to
conninfo() {
    if [ -n "$other" ]; then
        echo "host=$dir/$current,$dir/$other port=$port,$port dbname=paws user=${1:-postgres} target_session_attrs=read-write"
    else
        echo "host=$dir/$current port=$port dbname=paws user=${1:-postgres}"
    fi
}
sql() { PGOPTIONS="${PGOPTIONS:-} -c client_min_messages=warning" "$PG_BIN/psql" -X -A -t -q -v ON_ERROR_STOP=1 -d "$(conninfo)" -c "$1" 2>>"$log"; }
as_client() { "$PG_BIN/psql" -X -A -t -q -v ON_ERROR_STOP=1 -d "$(conninfo "$1")" -c "$2" 2>>"$log"; }

settings=(-c shared_buffers=1GB -c max_wal_size=4GB -c checkpoint_timeout=30min -c max_connections=150 -c max_locks_per_transaction=256
    -c paws_sync.crisis_reserved_connections=10)

install_into() { # BUILD
    [ -z "${built[$1]:-}" ] || return 0
    build
    make -s -C "$TOP" PG_CONFIG="$PG_CONFIG" DESTDIR="$work/server/$1" install >>"$log" 2>&1 || die "the installation failed"
    built[$1]=1
}

# use NAME [SETTING...]: the cluster that the following speaks to; made if it is not there.
use() {
    current=$1
    shift
    [ -z "${started[$current]:-}" ] || return 0
    cluster "$current" down || true
    started[$current]=1
    cluster "$current" up "${settings[@]}" "$@" || die "the cluster \"$current\" did not come up"
    "$PG_BIN/psql" -X -q -o /dev/null -v ON_ERROR_STOP=1 -d "$(conninfo)" -f "$here/setup.sql" 2>>"$log" || die "the setup failed"
    until_sql "SELECT count(*) = 2 FROM paws_sync.pg_stat_paws_sync_workers WHERE kind = 'crisis' AND pid IS NOT NULL"
}

away() { # NAME
    cluster "$1" down
    unset "started[$1]"
}

# fresh [SETTING...]: a cluster for this row alone.
fresh() {
    use "$row" "$@"
    undo="away $row; $undo"
}

# reconfigure SETTING=VALUE...: restarts the server with them; "reset" by the row's end.
restart_with() {
    local setting
    for setting; do sql "ALTER SYSTEM SET ${setting%%=*} = ${setting#*=}"; done
    cluster "$current" restart
}

until_sql() { # QUERY [SECONDS]: waits until it says t
    local until=$((SECONDS + ${2:-60}))
    until [ "$(sql "$1" || true)" = t ]; do
        [ "$SECONDS" -lt "$until" ] || die "it did not come to: $1"
        sleep 0.05
    done
}

prepare() {
    mkdir -p "$output/values" "$output/operations"
    say "building"
    install_into sealed
    gcc -std=gnu11 -O2 -pthread -I"$("$PG_CONFIG" --includedir)" -o "$work/crisis_load" "$here"/crisis_{load,sessions,check}.c \
        -L"$("$PG_CONFIG" --libdir)" -lpq 2>>"$log" || die "crisis_load was not built"
    {
        echo "cores $(nproc)"
        echo "processor $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)"
        echo "memory $(awk '/^MemTotal/ { printf "%.0f GiB", $2 / 1048576 }' /proc/meminfo)"
        echo "system Linux $(uname -r)"
        echo "server $("$PG_BIN/postgres" --version)"
    } >"$output/machine"
    python3 "$here/report.py" head
}

# ---- values of a row: "name value...", read by report.py

value() { printf '%s\n' "$*" >>"$values"; }
note() { value "note $*"; }

# about RULE TITLE: serves (the server stays up), restarts (it does not), waits (as a setting says), refuses (what is not taken
# is told so), exempt (no promise, by the documentation), baseline, share.
about() { value "rule $1"; shift; value "title $*"; }
# skip REASON: the row cannot be run here; ends it.
skip() { value "skip $*"; }
# limit NAME MICROSECONDS: what this row must hold besides, such as call_to_visible.p999.
limit() { value "limit $1 $2"; }
# allow SQLSTATE...: what callers may be told in this row, and push again.
allow() { value "allow $*"; }

# ---- faults

faulted() { echo >>"$work/faults"; }

# again COMMAND...: in the background, again and again until the row ends; each time that it succeeds is a fault.
again() {
    (
        trap - EXIT INT TERM
        while [ ! -e "$work/stop" ]; do
            if "$@" >>"$work/again.log" 2>&1; then faulted; else sleep 0.05; fi
        done
    ) &
    loops+=($!)
}

# background COMMAND...: until the row ends. It must be there then, unless the row restarts the server.
background() {
    "$@" >>"$work/background.log" 2>&1 &
    loads+=($!)
    vital+=($!)
}

# load SCRIPT CLIENTS [USER] [OPTIONS...]: pgbench with a script from standard input.
load() {
    local script=$1 clients=$2 user=${3:-postgres}
    shift 3 || shift 2
    cat >"$work/$script"
    background "$PG_BIN/pgbench" -n -M prepared -f "$work/$script" -c "$clients" -j 1 -T 3600 "$@" "$(conninfo "$user")"
}

ordinary_script() {
    cat <<'SQL'
\set n random(1, 200)
SELECT device FROM faults.ordinary WHERE n = :n \gset
SELECT outcome FROM paws_sync.push_many(:device, ARRAY[gen_random_uuid()], ARRAY['faults_interactive'], ARRAY[gen_random_uuid()], ARRAY[0::bigint], ARRAY[convert_to(repeat('o', 287), 'UTF8')]);
SQL
}

ordinary_load() { ordinary_script | load ordinary "$1" ordinary_client; } # CLIENTS

# The same where ordinary clients are told of errors: they begin anew.
ordinary_load_failing() { # CLIENTS
    ordinary_script >"$work/failing"
    (
        trap - EXIT INT
        trap 'kill "$!" 2>/dev/null; exit' TERM
        while [ ! -e "$work/stop" ]; do
            "$PG_BIN/pgbench" -n -M prepared -f "$work/failing" -c "$1" -j 1 -T 3600 "$(conninfo ordinary_client)" >>"$work/background.log" 2>&1 &
            wait "$!" || sleep 0.02
        done
    ) &
    loads+=($!)
}

end_faults() {
    local pid
    for pid in "${vital[@]}"; do
        kill -0 "$pid" 2>/dev/null || grep -q '^rule restarts' "$values" || { value "broken load"; tail -n 5 "$work/background.log" >>"$log"; }
    done
    vital=()
    touch "$work/stop"
    for pid in "${loads[@]}"; do kill "$pid" 2>/dev/null || true; done
    for pid in "${loads[@]}" "${loops[@]}"; do wait "$pid" 2>/dev/null || true; done
    loads=()
    loops=()
    rm -f "$work/stop"
}

# hold SQL: a session that says it and stays; let_go ends it. Tried again where it is the victim of a deadlock with workers.
hold() {
    local line
    undo="let_go; $undo"
    mkfifo "$work/holder_in" "$work/holder_out"
    for _ in 1 2 3 4 5; do
        "$PG_BIN/psql" -X -A -t -q -v ON_ERROR_STOP=1 -d "$(conninfo)" <"$work/holder_in" >"$work/holder_out" 2>>"$log" &
        holder=$!
        exec 8>"$work/holder_in" 7<"$work/holder_out"
        # whoever meets it gives way first
        (trap '' PIPE; printf "SET deadlock_timeout = '10s';\n%s;\nSELECT \$\$held\$\$;\n" "$1" >&8) 2>/dev/null || true
        line=
        while read -r line <&7 && [ "$line" != held ]; do :; done
        [ "$line" != held ] || return 0
        let_go
    done
    return 1
}

let_go() {
    [ -n "${holder:-}" ] || return 0
    (trap '' PIPE; echo '\q' >&8) 2>/dev/null || true
    exec 8>&- 7<&-
    wait "$holder" || true
    holder=
}

# foreign SCHEMA...: names of the tables there.
foreign() {
    sql "SELECT shown FROM faults.foreign_table WHERE schema = ANY ('{$(IFS=,; echo "$*")}') ORDER BY 1"
}

# all_foreign: every schema that the lane must not need, as far as it is there.
all_foreign="paws_queue paws_care paws_vault paws_billing paws_audit paws_billing_audit"

mount_small() { # FOLDER SIZE: a tmpfs of the server's user; false where nothing can be mounted
    mkdir -p "$1"
    as_root mount -t tmpfs -o "size=$2,mode=0700,uid=$(id -u "$SERVER_USER")" paws_faults "$1" 2>>"$log" || return 1
    mounts+=("$1")
}

unmount_all() {
    local folder
    for folder in "${mounts[@]}"; do as_root umount "$folder" 2>>"$log" || true; done
    mounts=()
}

# ---- crisis operations

# subjects COUNT [TIER]: new ones for this row.
subjects() { sql "SELECT * FROM faults.make('$row', $1, '${2:-basic}')" >"$work/subjects"; }

# crisis OPTION...: the load; its figures go to the row's values. See crisis_load.c.
crisis() {
    [ -s "$work/subjects" ] || subjects 16
    rm -f "$work/began"
    crashed_before=$(crashes)
    value "date $(date -u '+%Y-%m-%d %H:%M UTC')"
    value "load $(cut -d ' ' -f 1 /proc/loadavg)"
    "$work/crisis_load" "$(conninfo crisis_client)" subjects="$work/subjects" operations="$operations" rate="$rate" probe=1 \
        mark="$work/began" log="$output/operations/$row" "$@" >>"$values" 2>>"$log" || value "broken crisis_load"
    value "faults $(wc -l <"$work/faults")"
    value "crashed $(($(crashes) - crashed_before))"
    unchecked=1
}

# How many processes of the server ended as none should, by its log.
crashes() { as_server grep -cE 'was terminated by signal|PANIC' "$dir/$current/log/postgresql.log" || true; }

# check OPTION...: what became of each.
check() {
    [ -n "$unchecked" ] || return 0
    unchecked=
    "$work/crisis_load" "$(conninfo)" subjects="$work/subjects" check=1 log="$output/operations/$row" "$@" >>"$values" 2>>"$log" ||
        value "broken check"
}

# timed PROCEDURE NAME ARGUMENTS: a procedure of setup.sql that notes milliseconds; they become a time of the row.
timed() {
    "$PG_BIN/psql" -X -q -v ON_ERROR_STOP=1 -d "$(conninfo)" -c "CALL faults.$1($3)" >"$work/timed" 2>&1 ||
        { tail -n 3 "$work/timed" >>"$log"; value "broken $1"; }
    value "$2 $(sed -n "s/^NOTICE:  $2 //p" "$work/timed" | sort -n | awk '{ v[NR] = $1 * 1000 }
        END { if (NR) print NR, v[int((NR + 1) / 2)], v[int(NR * 0.99 + 0.99)], v[int(NR * 0.999 + 0.999)], v[NR] }')"
}

# when_begun SECONDS COMMAND...: once, so long after the first push.
when_begun() {
    local seconds=$1
    shift
    (
        trap - EXIT INT TERM
        until [ -e "$work/began" ]; do
            [ ! -e "$work/stop" ] || exit
            sleep 0.02
        done
        sleep "$seconds"
        if "$@" >>"$work/again.log" 2>&1; then faulted; fi
    ) &
    loops+=($!)
}

# ---- a row

run_row() { # NAME
    local status=0
    row=$1
    values=$output/values/$row
    current=main
    : >"$values"
    : >"$work/faults"
    rm -f "$work/subjects" "$output/operations/$row" "$work/stop" "$work"/holder_*
    value "version $(built_version)"
    value "commit $(git -c safe.directory="$TOP" -C "$TOP" rev-parse --short HEAD 2>/dev/null || echo unknown)"
    value "size ${SMOKE:+smoke}${QUICK:+quick}"
    use main
    set +e
    (
        trap row_ends EXIT
        trap 'exit 130' INT
        trap 'exit 143' TERM
        set -e
        "row_$row"
        end_faults
        check
    )
    status=$?
    set -e
    [ "$status" -lt 128 ] || exit "$status"
    if [ "$status" != 0 ]; then
        value "broken row"
        tail -n 5 "$log" >&2
    fi
    python3 "$here/report.py" row "$output" "$row" || true
}

# Whatever became of it: faults end, and what it changed is put back.
row_ends() {
    local status=$?
    trap - EXIT
    set +e
    end_faults
    if [ "$(sed -n 's/^crashed //p' "$values" | tail -n 1)" != 0 ] && ! grep -q '^rule restarts' "$values"; then
        mkdir -p "$output/logs"
        as_server cat "$dir/$current/log/postgresql.log" >"$output/logs/$row" 2>/dev/null
    fi
    eval "$undo"
    unmount_all
    exit "$status"
}
