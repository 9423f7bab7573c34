#!/bin/bash
# run.sh [unit] [lint] [regress] [isolation] [tap]
#
# Runs the named parts of the test suite, all of them by default, counts every single test, and ends with
# "N passed, N failed" on standard output. A part that ran nothing counts as a failure. Servers and files
# are in a scratch folder that is gone afterwards; what failed is kept under test/output/.
#
# TAP_TESTS="t/010*.pl t/071*.pl" narrows the part "tap".
set -euo pipefail

. "$(dirname "$0")/lib.sh"
find_postgres

parts=("$@")
[ ${#parts[@]} -gt 0 ] || parts=(unit lint regress isolation tap)

# Seconds after which a part is stopped and counted as failed.
declare -A limit=([unit]=300 [lint]=120 [regress]=400 [isolation]=300 [tap]=1320)
declare -A passed failed skipped
scratch=
small=
child=
logs=$(mktemp -d)
output=$TOP/test/output

# Whatever still runs from a folder under the scratch folder was started by a test that was cut off.
stop_strays() {
    local pidfile
    while IFS= read -r pidfile; do
        stop_server "$(dirname "$pidfile")"
    done < <(find "$scratch" -name postmaster.pid 2>/dev/null)
}

finish() {
    local status=$?
    trap - EXIT INT TERM
    if [ -n "$child" ]; then
        kill -TERM "$child" 2>/dev/null || true
        wait "$child" 2>/dev/null || true
    fi
    if [ -n "$scratch" ]; then
        stop_strays
        [ -z "$small" ] || as_root umount "$small"/data "$small"/wal || true
        rm -rf --one-file-system -- "$scratch"
    fi
    rm -rf -- "$logs"
    exit "$status"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# bounded SECONDS LOG COMMAND...: its output goes to LOG and to standard output. Waited for in the
# background so that an interrupt is acted upon at once.
bounded() {
    local seconds=$1 log=$2 status=0
    shift 2
    timeout -k 10 "$seconds" "$@" > >(tee "$log") 2>&1 </dev/null &
    child=$!
    wait "$child" || status=$?
    child=
    if [ "$status" = 124 ] || [ "$status" = 137 ]; then
        echo "stopped after $seconds seconds"
    fi
    sleep 0.1                   # for tee to finish
    return "$status"
}

server_bounded() {
    local seconds=$1 log=$2
    shift 2
    if [ "$(id -u)" = 0 ]; then
        bounded "$seconds" "$log" runuser -u "$SERVER_USER" -- env -C / HOME=/ "$@"
    else
        bounded "$seconds" "$log" "$@"
    fi
}

# count PART LOG STATUS: reads TAP lines, or those of pg_regress before version 16.
count() {
    local part=$1 log=$2 status=$3 good bad skip planned

    skip=$(grep -cE '^ok ([0-9]+|-).*# *SKIP' "$log" || true)
    good=$(grep -cE '^ok ([0-9]+|-)( |$)|^(test|    ) *[^ ]+ +\.\.\. ok\b' "$log" || true)
    bad=$(grep -cE '^not ok ([0-9]+|-)( |$)|^(test|    ) *[^ ]+ +\.\.\. (FAILED|failed)\b' "$log" || true)
    bad=$((bad - $(grep -cE '^not ok ([0-9]+|-).*# *TODO' "$log" || true)))
    good=$((good - skip))
    planned=$(sed -n 's/^1\.\.\([0-9]\{1,\}\)\b.*/\1/p' "$log" | awk '{ n += $1 } END { print n + 0 }')
    if [ "$planned" -gt $((good + bad + skip)) ]; then
        echo "$part: $planned planned, $((good + bad + skip)) ran"
        bad=$((bad + planned - good - bad - skip))
    fi
    if [ "$status" != 0 ] && [ "$bad" = 0 ]; then
        echo "$part: ended with status $status"
        bad=1
    fi
    if [ $((good + bad)) = 0 ]; then
        echo "$part: no test ran"
        bad=1
    fi
    passed[$part]=$good
    failed[$part]=$bad
    skipped[$part]=$skip
    if [ "$bad" -gt 0 ]; then
        mkdir -p "$output"
        cp "$log" "$output/$part.log"
    fi
}

# keep FILE...: saves what explains a failure and shows the end of differences.
keep() {
    local file
    mkdir -p "$output"
    for file in "$@"; do
        [ -e "$file" ] || continue
        cp -r "$file" "$output/"
        case $file in
            *.diffs)
                echo "--- $(basename "$file")"
                head -n 300 "$file"
                ;;
            */regress_log_*)
                if grep -q 'not ok' "$file" || ! tail -n 1 "$file" | grep -qE '1\.\.[0-9]+$'; then
                    echo "--- $(basename "$file")"
                    tail -n 40 "$file"
                fi
                ;;
        esac
    done
    echo "kept in test/output/"
}

# A scratch folder of the server's user with a copy of the built tree: pg_regress and TAP write beside
# their sources, and the server's user need not be able to read ours.
need_scratch() {
    [ -z "$scratch" ] || return 0
    scratch=$(mktemp -d "${TMPDIR:-/tmp}/paws_test.XXXXXX")
    touch "$scratch/$MARKER"
    mkdir "$scratch/tree" "$scratch/t"
    tar -C "$TOP" --exclude=./.git --exclude=./test/output -cf - . | tar -C "$scratch/tree" -xf -
    [ "$(id -u)" != 0 ] || chown -R "$SERVER_USER:" "$scratch"
}

cluster=no
need_cluster() {
    need_scratch
    [ "$cluster" = no ] || return 0
    bash "$TOP/test/cluster.sh" up --dir "$scratch/c" --no-fsync --no-database --no-build \
        -c paws_sync.databases=paws,contrib_regression,isolation_regression -c paws_sync.canary_interval=0 >/dev/null
    cluster=yes
}

server_settings() {
    printf '%s\n' "PGHOST=$scratch/c" PGPORT=54329 PGUSER=postgres "PG_CONFIG=$PG_CONFIG" CI= \
        "PATH=$PG_BIN:$PATH"
}

part_unit() {
    bounded "${limit[unit]}" "$1" bash "$TOP/test/unit.sh"
}

part_lint() {
    bounded "${limit[lint]}" "$1" bash "$TOP/test/lint/run.sh"
}

part_regress() {
    local status=0 settings
    need_cluster || return 1
    mapfile -t settings < <(server_settings)
    server_bounded "${limit[regress]}" "$1" env "${settings[@]}" make -s -C "$scratch/tree" installcheck || status=$?
    [ "$status" = 0 ] || keep "$scratch/tree/regression.diffs" "$scratch/tree/results" "$scratch/c/log/postgresql.log"
    return "$status"
}

part_isolation() {
    local status=0 settings specs out
    need_cluster || return 1
    out=$scratch/tree/output_iso
    mapfile -t specs < <(cd "$TOP/test/isolation/specs" 2>/dev/null && ls ./*.spec | sed 's|^\./||; s|\.spec$||')
    [ ${#specs[@]} -gt 0 ] || { : >"$1"; return 0; }
    mapfile -t settings < <(server_settings)
    as_server mkdir -p "$out"
    server_bounded "${limit[isolation]}" "$1" env "${settings[@]}" PGISOLATIONTIMEOUT=60 \
        "$PG_SRC/src/test/isolation/pg_isolation_regress" --bindir="$PG_BIN" --dbname=isolation_regression \
        --inputdir="$scratch/tree/test/isolation" --outputdir="$out" \
        --load-extension=pgcrypto --load-extension=paws_sync "${specs[@]}" || status=$?
    [ "$status" = 0 ] || keep "$out/regression.diffs" "$scratch/c/log/postgresql.log"
    return "$status"
}

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

# Two small disks that a test may fill; where nobody may mount any, that test says so.
mount_small() {
    local disk
    for disk in data wal; do
        mkdir -p "$scratch/small/$disk"
        if ! as_root mount -t tmpfs -o size=160m,mode=0777 tmpfs "$scratch/small/$disk" 2>/dev/null; then
            [ "$disk" = data ] || as_root umount "$scratch/small/data"
            return
        fi
    done
    small=$scratch/small
}

part_tap() {
    local status=0 tree tests
    need_scratch
    mount_small
    tree=$scratch/tree
    mapfile -t tests < <(cd "$tree/test" && for test in ${TAP_TESTS:-t/*.pl}; do compgen -G "$test"; done | sort)
    [ ${#tests[@]} -gt 0 ] || { : >"$1"; return 0; }
    server_bounded "${limit[tap]}" "$1" env -C "$tree/test" \
        TESTDIR="$tree" TESTDATADIR="$tree/tmp_check" TESTLOGDIR="$tree/tmp_check/log" PGPORT=65432 CI= \
        TMPDIR="$scratch/t" LANG=C.UTF-8 PATH="$PG_BIN:$PATH" PG_CONFIG="$PG_CONFIG" PG_TEST_PORT_DIR="$tree/portlock" \
        PG_REGRESS="$PG_SRC/src/test/regress/pg_regress" PG_TEST_TIMEOUT_DEFAULT="${PG_TEST_TIMEOUT_DEFAULT:-60}" \
        PERL5LIB="$PG_SRC/src/test/perl:$tree/test/perl" PAWS_SMALL_DISKS="$small" \
        prove --verbose "${tests[@]}" || status=$?
    [ "$status" = 0 ] || keep "$tree"/tmp_check/log/*
    return "$status"
}

# what failed before; not the measurements
[ ! -d "$output" ] || find "$output" -mindepth 1 -maxdepth 1 ! -name bench ! -name faults -exec rm -rf {} +
build
case " ${parts[*]} " in
    *" regress "*|*" isolation "*|*" tap "*) install_build ;;
esac

for part in "${parts[@]}"; do
    echo "== $part"
    status=0
    "part_$part" "$logs/$part" || status=$?
    [ -e "$logs/$part" ] || : >"$logs/$part"
    count "$part" "$logs/$part" "$status"
    echo "$part: ${passed[$part]} passed, ${failed[$part]} failed, ${skipped[$part]} skipped"
done

# What failed stands at the end, where it is seen.
for part in "${parts[@]}"; do
    [ "${failed[$part]}" -gt 0 ] || continue
    echo
    echo "-- $part: what failed"
    grep -E '^not ok|\(Wstat: [1-9]|^(test|    ) *[^ ]+ +\.\.\. (FAILED|failed)|^#   (Failed test|at t/)' "$logs/$part" | head -n 40 || true
done

echo
total_passed=0
total_failed=0
for part in "${parts[@]}"; do
    printf '%-10s %5d passed %5d failed %5d skipped\n' "$part" "${passed[$part]}" "${failed[$part]}" "${skipped[$part]}"
    total_passed=$((total_passed + passed[$part]))
    total_failed=$((total_failed + failed[$part]))
done
echo "$total_passed passed, $total_failed failed"
[ "$total_failed" = 0 ]
