#!/bin/bash
# format.sh [--write]: prints the files that clang-format would change, or changes them. Only the pinned
# major decides: others lay out some things differently.
set -euo pipefail

cd "$(dirname "$0")/../.."

for tool in clang-format-14 clang-format; do
    if command -v "$tool" >/dev/null && "$tool" --version | grep -q 'version 14\.'; then
        break
    fi
    tool=
done
[ -n "$tool" ] || { echo "SKIP clang-format 14 is not installed"; exit 0; }

if [ "${1:-}" = --write ]; then
    find src test/unit test/fuzz -name '*.[ch]' -exec "$tool" -i {} +
    exit 0
fi
status=0
while IFS= read -r -d '' file; do
    if ! "$tool" --dry-run --Werror "$file" >/dev/null 2>&1; then
        echo "$file is not as clang-format has it; see \"$tool $file | diff $file -\""
        status=1
    fi
done < <(find src test/unit test/fuzz -name '*.[ch]' -print0 2>/dev/null)
exit "$status"
