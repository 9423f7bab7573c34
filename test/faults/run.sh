#!/bin/bash
# run.sh [ROW...]: the fault matrix of the crisis lane. Each row does something bad to a real cluster while crisis operations are
# pushed and devices wait for them, and then asks what became of every operation. Without a name all rows, in their order.
#
#   QUICK=1     1,000 operations a row instead of 10,000, a smaller backlog, no builds: about six minutes
#   SMOKE=1     200 operations a row: proves that rows work, and judges no times
#   KEEP=1      also puts the page and the table into test/faults/results
#   DIR=…       folder of the clusters; default paws_faults.<user> in the system's temporary folder
#   LIST=1      only names the rows
#
# Clusters of its own come and go, with a private copy of the server; rows that ruin one get a new one. Values are left in
# test/output/faults/values, and the results of all rows that were ever run are written to test/output/faults/results.md and
# .html. Exit status 1 if a verdict is missed. Rows that fill a disk mount a small tmpfs, and so need root or sudo; where they
# cannot, they say so.
set -euo pipefail

. "$(dirname "$0")/../lib.sh"
here=$TOP/test/faults

for name in common rows_load rows_tables rows_processes rows_state rows_server rows_share; do
    # shellcheck source=/dev/null
    . "$here/$name.sh"
done

mapfile -t rows < <(sed -n 's/^row_\([a-z_0-9]*\)().*/\1/p' "$here"/rows_{load,tables,processes,state,server,share}.sh)
if [ -n "${LIST:-}" ]; then
    printf '%s\n' "${rows[@]}"
    trap - EXIT
    rm -rf -- "$work"
    exit 0
fi
chosen=("$@")
[ ${#chosen[@]} -gt 0 ] || chosen=("${rows[@]}")
for name in "${chosen[@]}"; do
    case " ${rows[*]} " in
        *" $name "*) ;;
        *) echo "no row is called $name; there are: ${rows[*]}" >&2; exit 2 ;;
    esac
done

prepare
begun=$SECONDS
for name in "${chosen[@]}"; do
    run_row "$name"
done
say "$((SECONDS - begun)) s"
python3 "$here/report.py" all "$output" "${chosen[@]}" || missed=1
if [ -n "${KEEP:-}" ]; then
    mkdir -p "$here/results"
    cp "$output"/results.{md,html} "$here/results/"
fi
: >"$log"
exit "${missed:-0}"
