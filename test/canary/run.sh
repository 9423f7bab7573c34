#!/bin/bash
# run.sh [--small] [--no-build] [--values N] [--seed TEXT] [--set NAME=VALUE]
#
# The canary sweep: see canary.py. Builds and installs the extension, makes two throw-away servers in a scratch
# folder, sweeps them, and removes everything. All figures and hits go to test/output/canary.json. A setting of the
# server with the extension shows what would leak under it: --set paws_sync.log_scrub=off
#
#   KEEP=1      leaves the scratch folder, with all that was searched, and says where it is
#   LIMIT=...    seconds after which it is given up (default 1200)
#   PYTHON=...  a Python with psycopg and faker (default: the system's)
set -euo pipefail

. "$(dirname "$0")/../lib.sh"

here=$TOP/test/canary
python=${PYTHON:-/usr/bin/python3}
building=yes
passed_on=()
while [ $# -gt 0 ]; do
    case $1 in
        --no-build) building=no ;;
        --small) passed_on+=("$1") ;;
        --values|--seed|--set) passed_on+=("$1" "${2:?}"); shift ;;
        *) sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
    esac
    shift
done

"$python" -c 'import faker, psycopg' 2>/dev/null ||
    { say "canary: $python has no faker or psycopg; run \"bash test/deps.sh canary\", or set PYTHON"; exit 2; }
find_postgres
if [ "$building" = yes ]; then
    build
    install_build
fi

scratch=$(mktemp -d "${TMPDIR:-/tmp}/paws_canary.XXXXXX")
chmod 0755 "$scratch"
sweep=

finish() {
    local status=$? part
    trap - EXIT INT TERM HUP
    if [ -n "$sweep" ] && kill -0 "$sweep" 2>/dev/null; then
        kill -TERM "$sweep" 2>/dev/null || true
        wait "$sweep" 2>/dev/null || true
    fi
    for part in ours stock; do
        if own_folder "$scratch/$part/server"; then
            stop_server "$scratch/$part/server/data"
        fi
    done
    if [ "${KEEP:-}" = 1 ]; then
        say "kept: $scratch"
    else
        rm -rf --one-file-system -- "$scratch"
    fi
    exit "$status"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

"${CC:-gcc}" -std=gnu11 -O2 -Wall -Wextra -o "$scratch/scan" "$here/scan.c" || { say "canary: scan.c does not compile"; exit 2; }
# The server's user makes its own folders below these.
mkdir "$scratch/ours" "$scratch/stock"

export PG_BIN PYTHONDONTWRITEBYTECODE=1
timeout -k 10 "${LIMIT:-1200}" "$python" "$here/canary.py" --folder "$scratch" --scanner "$scratch/scan" --output "$TOP/test/output/canary.json" \
    "${passed_on[@]}" &
sweep=$!
status=0
wait "$sweep" || status=$?
sweep=
exit "$status"
