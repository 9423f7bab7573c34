#!/bin/bash
# rooms.sh: prints every include between the rooms under src/ that does not point downwards:
#
#   {api, workers} -> control -> {care, crisis, billing, audit} -> {queue, store} -> registry -> guard
#   -> vault -> base
#
# Rooms of one brace do not know each other, and the crisis lane does without the queue. What lies in src/
# itself may include anything.
set -euo pipefail

cd "$(dirname "$0")/../.."

find src -mindepth 2 -name '*.[ch]' -print0 | sort -z | xargs -0 -r awk '
    BEGIN {
        split("base:0 vault:1 guard:2 registry:3 queue:4 store:4 care:5 crisis:5 billing:5 audit:5 " \
              "control:6 api:7 workers:7", pairs, " ")
        for (i in pairs) {
            split(pairs[i], pair, ":")
            floor[pair[1]] = pair[2] + 0
        }
    }
    FNR == 1 {
        split(FILENAME, path, "/")
        room = path[2]
        if (!(room in floor))
            print FILENAME ": " room " is not a room that this rule knows"
    }
    /^[ \t]*#[ \t]*include[ \t]*"/ {
        split($0, quoted, "\"")
        split(quoted[2], target, "/")
        to = target[1]
        if (!(to in floor) || to == room || !(room in floor))
            next
        if (floor[to] >= floor[room] || (room == "crisis" && to == "queue"))
            print FILENAME ":" FNR ": " room " -> " to " (" quoted[2] ")"
    }'
