#!/bin/bash
# lengths.sh: how long functions and files are (median, 90th percentile, longest), so that drift is seen.
# Prints TAP: no function above 100 lines, no file above 900. Functions need universal-ctags.
set -uo pipefail

cd "$(dirname "$0")/../.." || exit 1
status=0

# summary KIND LIMIT: reads "length name" lines.
summary() {
    sort -n | awk -v kind="$1" -v limit="$2" '
        { length_of[NR] = $1; name[NR] = $2 }
        END {
            if (NR == 0)
                exit 0
            printf "# %s: %d, median %d, p90 %d, longest %d (%s)\n", kind, NR, length_of[int((NR + 1) / 2)],
                length_of[int((NR * 9 + 9) / 10)], length_of[NR], name[NR]
            for (i = 1; i <= NR; i++)
                if (length_of[i] > limit) {
                    printf "# %s has %d lines\n", name[i], length_of[i]
                    long++
                }
            exit long > 0
        }'
}

if ctags --version 2>/dev/null | grep -q 'Universal Ctags'; then
    if find src -name '*.c' -print0 | xargs -0 -r ctags --kinds-C=f --fields=ne -f - |
        sed -n 's/^\([^\t]*\)\t\([^\t]*\)\t.*\tline:\([0-9]*\).*\tend:\([0-9]*\).*/\4 \3 \2:\1/p' |
        awk '{ print $1 - $2 + 1, $3 }' | summary functions 100; then
        echo "ok - functions have at most 100 lines"
    else
        echo "not ok - functions have at most 100 lines"
        status=1
    fi
else
    echo "ok - functions have at most 100 lines # SKIP universal-ctags is not installed"
fi

if find src \( -name '*.[ch]' -o -name '*.sql' \) -exec wc -l {} \; | summary files 900; then
    echo "ok - files have at most 900 lines"
else
    echo "not ok - files have at most 900 lines"
    status=1
fi
exit "$status"
