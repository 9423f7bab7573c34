#!/bin/bash
# lane.sh: prints what of the crisis lane, and of the rooms below it, leads to another's tables or code: a schema in a text,
# and, where the objects are built, a function of queue, care, billing or audit that one of theirs calls.
set -euo pipefail

cd "$(dirname "$0")/../.."

sources() { find src/crisis src/store src/registry src/guard -name '*.[ch]' -o -name '*.sql' | sort; echo src/workers/crisis.c; }

# The manifest lists the columns of all; comments may speak of others.
sources | grep -v '^src/guard/manifest\.c$' | xargs awk '
    { line = $0; gsub(/\/\*([^*]|\*[^\/])*\*\//, "", line); sub(/--.*/, "", line); sub(/\/\*.*/, "", line) }
    line !~ /^ \*/ && line ~ /paws_(queue|care|vault|billing|audit|billing_audit)\.[a-z]/ { print FILENAME ":" FNR ": " $0 }'

objects() { find "$@" -name '*.o' 2>/dev/null; }
[ -n "$(objects src/crisis)" ] || exit 0
comm -12 \
    <(objects src/crisis src/store src/registry src/guard src/workers | grep -vE '^src/workers/' | cat - <(ls src/workers/crisis.o) |
        xargs nm -u | awk '/^ +U / { print $2 }' | sort -u) \
    <(objects src/queue src/care src/billing src/audit | xargs nm --defined-only | awk '$2 ~ /^[TDBRV]$/ { print $3 }' | sort -u) |
    sed 's/^/the crisis lane, or what it stands on, calls /'
