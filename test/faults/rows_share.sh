# Rows of the matrix: the idle one without a part of the work, to show what that part takes. Sourced by run.sh.
# shellcheck shell=bash disable=SC2034,SC2154

alone() {
    subjects 1
    crisis pushers=1 consumers=1 rate=100 operations=$((operations / 5)) "$@"
}

row_unprofiled() {
    about share "idle, by a superuser: no check of a profile"
    alone pusher_options=user=postgres
}

# Rows that find the table locked are left out; see src/crisis/audit.h.
row_unaudited() {
    about share "idle, without audit rows: their table is locked"
    if [ "$(sql "SELECT to_regclass('paws_crisis.audit') IS NOT NULL")" != t ]; then
        skip "this version has no such table"
        return 0
    fi
    hold 'BEGIN; LOCK TABLE paws_crisis.audit IN ACCESS EXCLUSIVE MODE'
    alone
    let_go
}

row_unsealed() {
    about share "idle, by a build that seals nothing"
    if [ "$operations" -lt 10000 ]; then
        skip "only in a full run: it needs a build"
        return 0
    fi
    build_unsealed
    build=unsealed
    fresh
    alone
    check
}

build_unsealed() {
    local tree=$work/unsealed
    mkdir -p "$tree"
    tar -C "$TOP" --exclude=./.git --exclude='*.o' --exclude=./paws_sync.so --exclude=./test/output -cf - . | tar -C "$tree" -xf -
    make -s -C "$tree" -j "$(nproc)" UNSEALED=1 PG_CONFIG="$PG_CONFIG" all >>"$log" 2>&1
    make -s -C "$tree" UNSEALED=1 PG_CONFIG="$PG_CONFIG" DESTDIR="$work/server/unsealed" install >>"$log" 2>&1
}
