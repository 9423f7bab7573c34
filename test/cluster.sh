#!/bin/bash
# cluster.sh up|down|restart|status|env [options]
#
# A throw-away PostgreSQL cluster in a folder of its own: own keys, own log, a unix socket inside, no TCP.
#
#   up       builds, installs what changed, starts the cluster with the extension created in database "paws",
#            and prints the connection string alone on standard output; reuses a running one
#   down     stops it and removes the folder
#   restart  stops and starts it; --without-keys: as if no root and no keyring were configured, until the next start
#   status   prints "running" or "stopped" (exit status 3), or "absent" (4)
#   env      prints the settings for a shell: eval "$(test/cluster.sh env)"
#
#   --dir FOLDER    default: paws_sync.<user> in the system's temporary folder
#   --port NUMBER   only names the socket; default 54329
#   --no-fsync      for tests that crash nothing
#   --no-database   the server alone, without database and extension
#   --no-build      take what is installed
#   -c KEY=VALUE    one more server setting (also: lines in PG_CONF_EXTRA); they apply to a new cluster
#
# Root runs the server as user postgres, anybody else as themselves with sudo for the installation only.
set -euo pipefail

. "$(dirname "$0")/lib.sh"

usage() { sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0" >&2; exit 2; }

[ $# -gt 0 ] || usage
action=$1
shift
dir=${DIR:-}
port=54329
fsync=on
database=yes
building=yes
overrides=
settings=()
while [ $# -gt 0 ]; do
    case $1 in
        --dir) dir=${2:?}; shift ;;
        --port) port=${2:?}; shift ;;
        --no-fsync) fsync=off ;;
        --no-database) database=no ;;
        --no-build) building=no ;;
        --without-keys) overrides='-c paws_sync.care_root= -c paws_sync.crisis_root= -c paws_sync.billing_root= -c paws_sync.keyring_file=' ;;
        -c) settings+=("${2:?}"); shift ;;
        *) usage ;;
    esac
    shift
done

dir=$(realpath -ms -- "${dir:-${TMPDIR:-/tmp}/paws_sync.$(id -un)}")
socket=$dir/.s.PGSQL.$port
[[ $dir =~ ^/[A-Za-z0-9._/+@%-]+$ ]] || die "the folder's name must do without spaces and quotes: $dir"
[ ${#socket} -le 100 ] || die "the folder's name is too long for a unix socket in it: $dir"
data=$dir/data
log=$dir/log/postgresql.log
stamp=$dir/build

running() {
    as_server "$PG_BIN/pg_ctl" -D "$data" status >/dev/null 2>&1
}

# What the cluster was made from: a library may be exchanged under it, a script may not.
library_sum() { sha256sum <"$PG_LIB/paws_sync.so"; }
script_sum() { sha256sum <"$PG_SHARE/extension/paws_sync--$(built_version).sql"; }

quoted() { printf "'%s'" "${1//\'/\'\'}"; }

configuration() {
    cat <<CONF
listen_addresses = ''
unix_socket_directories = '$dir'
unix_socket_permissions = 0700
port = $port
max_connections = 100
max_worker_processes = 24
shared_preload_libraries = 'paws_sync'
paws_sync.databases = 'paws'
paws_sync.care_root = 'file:$dir/keys/care.root'
paws_sync.crisis_root = 'file:$dir/keys/crisis.root'
paws_sync.billing_root = 'file:$dir/keys/billing.root'
paws_sync.keyring_file = '$dir/keys/keyring'
paws_sync.crisis_role = 'crisis_service'
fsync = $fsync
log_line_prefix = '%m [%p] %b %d '
cluster_name = 'paws_sync throw-away'
CONF
    local setting
    for setting in "${settings[@]}"; do
        printf '%s = %s\n' "${setting%%=*}" "$(quoted "${setting#*=}")"
    done
    printf '%s\n' "${PG_CONF_EXTRA:-}"
}

initialise() {
    local root
    make_own_folder "$dir"
    trap remove EXIT
    as_server mkdir -m 0700 "$dir/log" "$dir/keys"
    for root in care crisis billing; do
        printf '1 %s\n' "$(od -An -N32 -tx1 /dev/urandom | tr -d ' \n')" |
            as_server sh -c 'umask 077 && cat >"$1"' sh "$dir/keys/$root.root"
    done
    as_server timeout 120 "$PG_BIN/initdb" -D "$data" -U postgres -A trust --encoding=UTF8 --locale=C.UTF-8 \
        --no-sync --no-instructions >/dev/null
    configuration | as_server tee -a "$data/postgresql.conf" >/dev/null
}

start() {
    if ! as_server timeout 90 "$PG_BIN/pg_ctl" -D "$data" -l "$log" -w -t 60 -s -o "$overrides" start </dev/null >/dev/null 2>&1; then
        say "the server did not start; the end of its log:"
        as_server tail -n 20 "$log" >&2 || true
        return 1
    fi
}

sql() {
    as_server timeout 120 env PGOPTIONS='-c client_min_messages=warning' "$PG_BIN/psql" -X -q -v ON_ERROR_STOP=1 -h "$dir" -p "$port" -U postgres -d "$1" -c "$2" \
        </dev/null >&2
}

create_extension() {
    sql postgres 'CREATE ROLE crisis_service' && sql postgres 'CREATE DATABASE paws' &&
        sql paws 'CREATE EXTENSION paws_sync CASCADE' || {
        say "the extension was not created; the end of the server's log:"
        as_server tail -n 20 "$log" >&2
        return 1
    }
    script_sum | as_server tee "$stamp.script" >/dev/null
}

# A half-made cluster is of no use to anybody.
remove() {
    stop_server "$data"
    rm -rf --one-file-system -- "$dir"
}

reuse() {
    if [ "$database" = yes ] && [ "$(script_sum)" != "$(cat "$stamp.script" 2>/dev/null)" ]; then
        die "the cluster in $dir holds the extension of another build, and its SQL differs: take it down and up again"
    fi
    if running && [ "$(library_sum)" != "$(cat "$stamp.library" 2>/dev/null)" ]; then
        say "restarting the cluster in $dir with the new build"
        stop_server "$data"
    fi
    running || start || exit 1
}

up() {
    find_postgres
    if [ "$building" = yes ]; then
        build
        install_build
    fi
    if own_folder "$dir" && [ -f "$stamp.library" ]; then
        reuse
    else
        if own_folder "$dir"; then
            remove
        fi
        initialise
        start || exit 1
        [ "$database" = no ] || create_extension || exit 1
        trap - EXIT
    fi
    library_sum | as_server tee "$stamp.library" >/dev/null
}

down() {
    if [ ! -e "$dir" ] && [ ! -L "$dir" ]; then
        return 0
    fi
    own_folder "$dir" || die "$dir is not a throw-away cluster of user $SERVER_USER; left alone"
    find_postgres
    remove
}

restart() {
    own_folder "$dir" || die "$dir is not a throw-away cluster of user $SERVER_USER; left alone"
    find_postgres
    stop_server "$data"
    start
}

case $action in
    up)
        up </dev/null >&2
        printf 'host=%s port=%s dbname=%s user=postgres\n' "$dir" "$port" \
            "$([ "$database" = yes ] && echo paws || echo postgres)"
        ;;
    down)
        down </dev/null >&2
        ;;
    restart)
        restart </dev/null >&2
        ;;
    status)
        own_folder "$dir" || { echo absent; exit 4; }
        find_postgres
        running || { echo stopped; exit 3; }
        echo running
        ;;
    env)
        printf 'export PGHOST=%s PGPORT=%s PGUSER=postgres PGDATABASE=paws\n' "$dir" "$port"
        ;;
    *)
        usage
        ;;
esac
