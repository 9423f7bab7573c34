#!/bin/bash
# audit.sh: what the audit rows of the crisis lane cost a push_crisis, beside a build of the same library that writes none.
#
# Builds both in copies of the tree, brings up a durable cluster for each on a private copy of the server (the installed
# one is not touched), runs the same load on both in alternating rounds, and prints a table.
#
#   DURATION=5  seconds of each timed run      ROUNDS=5  alternations; ratios are medians of the rounds' ratios
set -euo pipefail

. "$(dirname "$0")/../lib.sh"

duration=${DURATION:-5}
rounds=${ROUNDS:-5}
port=54351
here=$TOP/test/bench
unset SERVER_ROOT

work=$(mktemp -d "${TMPDIR:-/tmp}/paws_audit.XXXXXX")
chmod 0755 "$work"
values=$work/values

finish() {
    local status=$? kind
    trap - EXIT INT TERM
    [ "$status" = 0 ] || ! [ -s "$work/log" ] || tail -n 20 "$work/log" >&2
    for kind in audited unaudited; do
        [ ! -d "$work/$kind/tree" ] || SERVER_ROOT=$work/$kind/server bash "$work/$kind/tree/test/cluster.sh" down --dir "$work/$kind/cluster" || true
    done
    rm -rf -- "$work"
    exit "$status"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

find_postgres

prepare() { # KIND MAKE-ARGUMENTS
    local kind=$1
    shift
    mkdir -p "$work/$kind/tree"
    tar -C "$TOP" --exclude=./.git --exclude='*.o' --exclude=./paws_sync.so --exclude=./test/output -cf - . |
        tar -C "$work/$kind/tree" -xf -
    make -s -C "$work/$kind/tree" -j "$(nproc)" "$@" all >>"$work/log" 2>&1 || die "the $kind build failed"
    make -s -C "$work/$kind/tree" "$@" DESTDIR="$work/$kind/server" install >>"$work/log" 2>&1
    SERVER_ROOT=$work/$kind/server bash "$work/$kind/tree/test/cluster.sh" up --no-build --dir "$work/$kind/cluster" \
        --port "$port" -c shared_buffers=256MB -c max_wal_size=4GB -c checkpoint_timeout=30min >/dev/null
    "$PG_BIN/psql" -X -q -o /dev/null -d "$(conninfo "$kind")" -f "$here/setup.sql"
}

conninfo() { echo "host=$work/$1/cluster port=$port dbname=paws user=postgres"; }
sql() { "$PG_BIN/psql" -X -A -t -q -v ON_ERROR_STOP=1 -d "$(conninfo "$1")" -c "$2"; }

cat >"$work/push" <<'PUSH'
\set again random(1, 25)
\if :again = 1 or :known = 0
\set n random(1, 1000)
SELECT device FROM bench.device WHERE n = :n \gset
\set known 1
\endif
SELECT outcome FROM paws_sync.push_crisis(:device, jsonb_build_array(jsonb_build_object('op_id', gen_random_uuid(),
    'collection', 'bench_safety', 'doc_id', gen_random_uuid(), 'base_revision', 0, 'payload', :payload::text)))
PUSH
payload=$(head -c 287 /dev/zero | tr '\0' 'm' | base64 -w 0)

# Transactions a second, mean latency, and bytes of WAL for each.
load() { # KIND CLIENTS NAME ROUND
    local before after
    before=$(sql "$1" "SELECT pg_current_wal_insert_lsn()")
    "$PG_BIN/pgbench" -n -M prepared -f "$work/push" -c "$2" -j 2 -D "payload=$payload" -D known=0 \
        -T "$duration" "$(conninfo "$1")" >"$work/out" 2>>"$work/log" || { cat "$work/out" >&2; die "pgbench failed"; }
    after=$(sql "$1" "SELECT pg_current_wal_insert_lsn()")
    awk '/^tps = / { print $3 }' "$work/out" | sed "s/^/$3.tps.$1 $4 /" >>"$values"
    awk '/^latency average = / { print $4 }' "$work/out" | sed "s/^/$3.ms.$1 $4 /" >>"$values"
    sql "$1" "SELECT ('$after'::pg_lsn - '$before'::pg_lsn) / $(awk '/actually processed: / { print $6 }' "$work/out" | cut -d/ -f1)" |
        sed "s/^/$3.wal.$1 $4 /" >>"$values"
}

# Microseconds of processor time that one push takes its server process, in transactions of 50: the disk has no part in it,
# nor have others who want the processor.
processor() { # KIND ROUND
    sql "$1" "CREATE OR REPLACE PROCEDURE bench.pushes(pushes integer, OUT us numeric) LANGUAGE plpgsql AS \$\$
        DECLARE
            begun numeric;
            device paws_sync.device := (SELECT d.device FROM bench.device d WHERE n = $2);
        BEGIN
            FOR i IN 1 .. pushes + 200 LOOP
                IF i = 200 THEN
                    begun := split_part(pg_read_file('/proc/self/schedstat'), ' ', 1);
                END IF;
                PERFORM outcome FROM paws_sync.push_crisis(device, jsonb_build_array(jsonb_build_object('op_id', gen_random_uuid(),
                    'collection', 'bench_safety', 'doc_id', gen_random_uuid(), 'base_revision', 0, 'payload', '$payload'::text)));
                IF i % 50 = 0 THEN
                    COMMIT;
                END IF;
            END LOOP;
            us := (split_part(pg_read_file('/proc/self/schedstat'), ' ', 1)::numeric - begun) / pushes / 1000;
        END \$\$"
    sql "$1" 'CALL bench.pushes(3000, NULL)' | sed "s/^/cpu.$1 $2 /" >>"$values"
}

compare() { # ROUND CLIENTS
    local kind order='audited unaudited'
    [ $(($1 % 2)) = 0 ] || order='unaudited audited'
    for kind in $order; do
        load "$kind" "$2" "c$2" "$1"
        [ "$2" != 1 ] || processor "$kind" "$1"
    done
}

median() { awk -v name="$1" '$1 == name { print $3 }' "$values" | sort -n |
    awk '{ v[NR] = $1 } END { print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'; }

# Median, lowest and highest of the rounds' ratios.
ratio() {
    awk -v a="$1.audited" -v b="$1.unaudited" '$1 == a { x[$2] = $3 } $1 == b { y[$2] = $3 }
        END { for (i in x) print x[i] / y[i] }' "$values" | sort -n |
        awk '{ v[NR] = $1 } END { m = NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2
            printf "%.2f (%.2f to %.2f)", m, v[1], v[NR] }'
}

row() { # LABEL NAME FORMAT
    printf "| %-40s | $3 | $3 | %-21s |\n" "$1" "$(median "$2.unaudited")" "$(median "$2.audited")" "$(ratio "$2")"
}

for kind in audited unaudited; do
    say "building and starting: $kind"
    prepare "$kind" $([ "$kind" = audited ] || echo UNAUDITED=1)
done
for ((round = 1; round <= rounds; round++)); do
    say "round $round of $rounds"
    compare "$round" 1
    compare "$round" 8
done
[ "$(sql audited 'SELECT wrong + doubled + missing + unkeyed + not_written FROM paws_sync.verify_crisis_audit()')" = 0 ] || die "the log is not whole"
[ "$(sql unaudited 'SELECT count(*) FROM paws_crisis.audit')" = 0 ] || die "the other build wrote rows"

cat <<HEAD
paws_sync $(built_version), $(date -u '+%Y-%m-%d %H:%M UTC'), $(nproc) cores, $("$PG_BIN/postgres" --version), payloads of 287 bytes,
$rounds alternating rounds of $duration s, durable commits.

| push_crisis of one                       | unaudited |   audited | ratio (range)         |
|------------------------------------------|-----------|-----------|-----------------------|
HEAD
row 'a second, 1 client' c1.tps '%9.0f'
row 'a second, 8 clients' c8.tps '%9.0f'
row 'processor time in the server, us' cpu '%9.1f'
row 'mean latency, 1 client, ms' c1.ms '%9.3f'
row 'mean latency, 8 clients, ms' c8.ms '%9.3f'
row 'WAL, bytes, 1 client' c1.wal '%9.0f'
row 'WAL, bytes, 8 clients' c8.wal '%9.0f'
