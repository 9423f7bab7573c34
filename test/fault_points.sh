#!/bin/bash
# fault_points.sh FOLDER: builds the tree with the places at which it can be made to crash (src/base/fault.h), into a private
# copy of the server in FOLDER, and prints the folder of that server's programs. What is built already is taken over.
set -euo pipefail

. "$(dirname "$0")/lib.sh"

folder=${1:?}
unset SERVER_ROOT
find_postgres

mkdir -p "$folder/tree"
tar -C "$TOP" --exclude=./.git --exclude=./test/output --exclude=./tmp_check -cf - . | tar -C "$folder/tree" -xf -
# only these look different
grep -lE 'PAWS_FAULT|paws_fault' -r "$folder/tree/src" --include='*.c' | xargs touch
SERVER_ROOT=$folder/server
use_server_root
make -s -C "$folder/tree" -j "$(nproc)" PG_CONFIG="$PG_CONFIG" COPT=-DPAWS_FAULT_POINTS DESTDIR="$SERVER_ROOT" install >&2
echo "$PG_BIN"
