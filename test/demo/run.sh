#!/bin/sh
# The demo: a throw-away cluster, a clinic app's day on it, the results, and the cluster is gone again.
#   KEEP=1        leaves the cluster up and says how to connect and how to stop it
#   DIR=<folder>  where the cluster lives (default: chosen by test/cluster.sh)
#   REPORT=<file> the HTML page (default: test/output/demo.html)
#   ARGS="..."    more arguments for clinic.py, such as "--subjects 1000"
set -eu

here=$(cd "$(dirname "$0")" && pwd)
cluster=$here/../cluster.sh
report=${REPORT:-$here/../output/demo.html}
python=${PYTHON:-/usr/bin/python3}
keep=${KEEP:-0}
driver=
started=

if ! "$python" -c 'import psycopg' 2>/dev/null; then
    echo "demo: $python has no psycopg; install the package python3-psycopg, or set PYTHON" >&2
    exit 2
fi

finish() {
    status=$?
    trap - EXIT INT TERM HUP
    if [ -n "$driver" ] && kill -0 "$driver" 2>/dev/null; then
        kill -TERM "$driver" 2>/dev/null || true
        wait "$driver" 2>/dev/null || true
    fi
    if [ -n "$started" ]; then
        if [ "$keep" = 1 ] && [ "$status" -le 1 ]; then
            echo
            echo "The server is still up."
            echo "  connect: psql \"$dsn\""
            echo "  stop:    make down${DIR:+ DIR=$DIR}"
        else
            "$cluster" down >/dev/null || echo "demo: the cluster could not be stopped; try: make down${DIR:+ DIR=$DIR}" >&2
        fi
    fi
    exit "$status"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

echo "Starting a throw-away server ..."
started=1
# As doctor() wants it, wherever that is in our hands.
export PG_CONF_EXTRA="${PG_CONF_EXTRA:-}
track_activities = off
authentication_timeout = 10s
idle_in_transaction_session_timeout = 10min"
log=$(mktemp)
if ! "$cluster" up >"$log"; then
    cat "$log" >&2
    rm -f "$log"
    exit 2
fi
dsn=$(tail -n 1 "$log")
rm -f "$log"

kept=
[ "$keep" = 1 ] && kept=--kept
# In the background and waited for, so that a signal reaches the trap at once.
# shellcheck disable=SC2086
"$python" "$here/clinic.py" --dsn "$dsn" --report "$report" --cluster "$cluster" $kept ${ARGS:-} &
driver=$!
status=0
wait "$driver" || status=$?
if [ "$status" = 2 ]; then
    folder=${dsn#*host=}
    folder=${folder%% *}
    echo "The end of the server's log:" >&2
    tail -n 30 "$folder/log/postgresql.log" >&2 || true
fi
exit "$status"
