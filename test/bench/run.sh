#!/bin/bash
# run.sh [PART...]: measures this queue beside bare statements and its peers, on the same settings, in alternating rounds.
#
#   submit    jobs put one at a time and in sets          work     jobs claimed and completed
#   latency   from the call to the receipt, idle          backlog  the same over 1,000,000 lower jobs; the cost of a claim
#   horizon   while an old snapshot is held               size     bytes of table, index and WAL for a job
#   push      the engine's own operations                 tiers    classes and tiers below and above capacity, floods
#   crisis    operations of the crisis lane with a consumer that waits: idle, and beside what makes commits slow
#   idle      processor time and WAL without work         memory   shared memory for subjects
#   seal      what sealing an envelope costs              report   only writes the results anew
#   calm      only if it is the first: the same rates while snapshots, slots, VACUUM, index builds and dumps go on (calm.sh)
#
# Without a name all of them. Clusters of their own come and go: "plain" for bare statements and peers, without our library;
# "sealed" and "unsealed" for two builds of it. Each part leaves its values in test/output/bench/values; at the end the
# results of all parts that were ever run are printed and written to test/output/bench/results.md, .json and .html.
#
#   DURATION=5  seconds of each timed run
#   ROUNDS=3    alternations; figures are medians of the rounds, ratios medians of each round's ratio
#   DIR=…       folder of the clusters; default paws_bench.<user> in the system's temporary folder
#   ENGINES=…   only these of the engines that are compared: bare prio ours firm unsealed pgq graphile pgboss (engines.sh)
#   KEEP=1      also puts the results into test/bench/results
#   QUICK=1     about half an hour for all: runs of 2 s, two rounds, fewer jobs where claims begin
#   SHORT=1     small backlogs and short runs: proves that everything works, and measures little
#
# and what the head of each part names. The peers come from Debian (PgQ) and the npm registry (peers/package.json: the newest that
# run on Debian 12's node). pgmq is in neither, so it is left out.
set -euo pipefail

. "$(dirname "$0")/../lib.sh"

if [ "${1:-}" = calm ]; then
    shift
    exec bash "$TOP/test/bench/calm.sh" "$@"
fi

if [ -n "${SHORT:-}" ]; then
    : "${DURATION:=1}" "${ROUNDS:=1}" "${PREFILL:=6000}" "${PREFILL_MANY:=20000}" "${BACKLOG:=20000}" "${PASS:=20000}" "${FLOW:=12000}" \
        "${QUEUED:=4000}" "${URGENT_OVER:=4000}" "${IDLE_SECONDS:=5}" "${CRISIS_OPERATIONS:=500}"
fi

if [ -n "${QUICK:-}" ]; then
    : "${CRISIS_OPERATIONS:=2000}" "${DURATION:=2}" "${ROUNDS:=2}" "${PREFILL:=60000}" "${PREFILL_MANY:=150000}" "${FLOW:=60000}" "${HORIZON_ROUNDS:=1}"
fi

parts=(submit work latency backlog horizon size push tiers crisis idle memory seal)
chosen=("$@")
[ ${#chosen[@]} -gt 0 ] || chosen=("${parts[@]}")
for name in "${chosen[@]}"; do
    case " ${parts[*]} report " in
        *" $name "*) ;;
        *) sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
    esac
done

for name in common engines submit work latency backlog horizon size push tiers crisis idle; do
    # shellcheck source=/dev/null
    . "$TOP/test/bench/$name.sh"
done

for name in "${chosen[@]}"; do
    case $name in
        report) ;;
        seal) bash "$here/seal.sh" ;;
        *)
            begin_part "$name"
            "part_$name"
            ;;
    esac
done

# Who measured, for the head of the results.
{
    echo "cores $(nproc)"
    echo "processor $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)"
    echo "memory $(awk '/^MemTotal/ { printf "%.0f GiB", $2 / 1048576 }' /proc/meminfo)"
    echo "system Linux $(uname -r)"
    echo "server $("$PG_BIN/postgres" --version)"
    echo "pgq $(dpkg-query -W -f='${Version}' "postgresql-$PG_MAJOR-pgq3" 2>/dev/null || echo 'not installed')"
    echo "node $(node --version 2>/dev/null || echo 'not installed')"
    echo "graphile-worker $(sed -n 's/.*"graphile-worker": "\(.*\)".*/\1/p' "$here/peers/package.json")"
    echo "pg-boss $(sed -n 's/.*"pg-boss": "\(.*\)".*/\1/p' "$here/peers/package.json")"
} >"$output/machine"
python3 "$here/report.py" "$output"
if [ -n "${KEEP:-}" ]; then
    mkdir -p "$here/results"
    cp "$output"/results.{md,json,html} "$here/results/"
fi
