# Common parts of the scripts under test/. Sourced by bash, never run.
# Nothing here prints to standard output: that belongs to the script's result.

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
MARKER=.paws_sync_throw_away

# The caller's client settings must never lead a script to a server that is not its own, and the flags of a
# calling make must not reach the makes started here.
for name in ${!PG@}; do
    case $name in
        PG_CONFIG|PG_CONF_EXTRA|PG_MAJOR) ;;
        *) unset "$name" ;;
    esac
done
unset name MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES
export LC_ALL=C.UTF-8

say() { printf '%s\n' "$*" >&2; }
die() { say "error: $*"; exit 1; }

# Which PostgreSQL: PG_CONFIG if given, else the packaged one of PG_MAJOR, else the one in PATH.
PG_MAJOR=${PG_MAJOR:-}
if [ -z "$PG_MAJOR" ]; then
    PG_MAJOR=15
    if [[ ${PG_CONFIG:-} =~ /postgresql/([0-9]+)/ ]]; then
        PG_MAJOR=${BASH_REMATCH[1]}
    fi
fi
if [ -z "${PG_CONFIG:-}" ]; then
    PG_CONFIG=/usr/lib/postgresql/$PG_MAJOR/bin/pg_config
    # elsewhere than on Debian
    [ -d /var/lib/dpkg ] || PG_CONFIG=pg_config
fi
export PG_CONFIG PG_MAJOR

# Sets PG_BIN, PG_LIB, PG_SHARE and PG_SRC (the test tools that come with PGXS). Dies where there is no server.
find_postgres() {
    [ -x "$(command -v "$PG_CONFIG")" ] || die "no pg_config at $PG_CONFIG; run \"make deps\" or set PG_CONFIG"
    PG_BIN=$("$PG_CONFIG" --bindir)
    PG_LIB=$("$PG_CONFIG" --pkglibdir)
    PG_SHARE=$("$PG_CONFIG" --sharedir)
    PG_SRC=$(cd "$(dirname "$("$PG_CONFIG" --pgxs)")/../.." && pwd -P)
    [ -x "$PG_BIN/postgres" ] || die "no server in $PG_BIN; run \"make deps\""
    [ -z "${SERVER_ROOT:-}" ] || use_server_root
}

# SERVER_ROOT=FOLDER: everything below runs a private copy of the server in FOLDER, with its own place for
# extensions, so that builds can be tried side by side and without touching the installed one. The server finds
# its folders from the place of its program; only that one, and initdb, must be copies, the rest is linked.
use_server_root() {
    local part

    if [ ! -x "$SERVER_ROOT$PG_BIN/postgres" ]; then
        mkdir -p "$SERVER_ROOT$PG_BIN" "$SERVER_ROOT$PG_LIB" "$SERVER_ROOT$PG_SHARE/extension"
        chmod 0755 "$SERVER_ROOT"
        cp "$PG_BIN"/* "$SERVER_ROOT$PG_BIN/"
        link_all "$PG_LIB" "$SERVER_ROOT$PG_LIB"
        link_all "$PG_SHARE" "$SERVER_ROOT$PG_SHARE"
        link_all "$PG_SHARE/extension" "$SERVER_ROOT$PG_SHARE/extension"
    fi
    for part in PG_BIN PG_LIB PG_SHARE; do
        printf -v "$part" '%s%s' "$SERVER_ROOT" "${!part}"
    done
}

# link_all FROM TO: links to what is in FROM and not yet in TO, but for our own files.
link_all() {
    local file

    for file in "$1"/*; do
        case $(basename "$file") in
            paws_sync*) ;;
            *) [ -e "$2/$(basename "$file")" ] || ln -s "$file" "$2/" ;;
        esac
    done
}

# The server refuses to run as root, so root lends it to the packaged user.
if [ "$(id -u)" = 0 ]; then
    SERVER_USER=postgres
else
    SERVER_USER=$(id -un)
fi

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    else
        command -v sudo >/dev/null || die "this needs root or sudo: $*"
        sudo "$@"
    fi
}

# Runs a command as the server's user, away from a current folder that it might not be able to read.
as_server() {
    if [ "$(id -u)" = 0 ]; then
        (cd / && exec runuser -u "$SERVER_USER" -- env HOME=/ "$@")
    else
        (cd / && exec "$@")
    fi
}

# own_folder DIR: an existing folder of a throw-away cluster or test run that belongs to the server's user.
own_folder() {
    [ ! -L "$1" ] && [ -d "$1" ] && [ "$(stat -c %U "$1")" = "$SERVER_USER" ] && [ -f "$1/$MARKER" ]
}

# make_own_folder DIR: creates it (or takes an empty one of the caller's), private to the server's user.
make_own_folder() {
    local dir=$1

    if [ -d "$dir" ] && [ ! -L "$dir" ] && [ -O "$dir" ] && [ -z "$(ls -A "$dir")" ]; then
        chmod 0700 "$dir"
    elif [ -e "$dir" ] || [ -L "$dir" ]; then
        die "$dir exists and is not a folder of a throw-away cluster of user $SERVER_USER; choose another DIR"
    else
        mkdir -p "$(dirname "$dir")"
        mkdir -m 0700 "$dir" || die "cannot create $dir"
    fi
    if [ "$(id -u)" = 0 ]; then
        chown "$SERVER_USER:" "$dir"
    fi
    if ! as_server test -w "$dir"; then
        rmdir "$dir"
        die "user $SERVER_USER cannot reach $dir; choose a DIR whose parents it may enter"
    fi
    as_server touch "$dir/$MARKER"
}

# stop_server DATADIR: fast, then immediate, then without asking. Every step is bounded.
stop_server() {
    local data=$1 pid

    pid=$(head -n 1 "$data/postmaster.pid" 2>/dev/null) || return 0
    [ -n "$pid" ] || return 0
    as_server timeout 60 "$PG_BIN/pg_ctl" -D "$data" -m fast -t 30 -s stop >/dev/null 2>&1 ||
        as_server timeout 40 "$PG_BIN/pg_ctl" -D "$data" -m immediate -t 20 -s stop >/dev/null 2>&1 || true
    if [ "$(readlink "/proc/$pid/cwd" 2>/dev/null)" = "$data" ]; then
        as_server kill -KILL "$pid" 2>/dev/null || true
    fi
}

# build: brings the tree's library and script up to date.
build() {
    make -s -C "$TOP" -j "$(nproc)" all >&2 || die "the build failed"
}

# built_version: the version that the control file names.
built_version() {
    sed -n "s/^default_version *= *'\(.*\)'.*/\1/p" "$TOP/paws_sync.control"
}

# install_build: puts the built files into the server's folders, only when they differ from what is there.
# Refuses when a server that is not one of our throw-away ones runs with another build (FORCE=1 overrides).
install_build() {
    local script others
    script=paws_sync--$(built_version).sql

    if cmp -s "$TOP/paws_sync.so" "$PG_LIB/paws_sync.so" &&
        cmp -s "$TOP/$script" "$PG_SHARE/extension/$script" &&
        cmp -s "$TOP/paws_sync.control" "$PG_SHARE/extension/paws_sync.control"; then
        return 0
    fi
    if [ -n "${SERVER_ROOT:-}" ]; then
        make -s -C "$TOP" PG_CONFIG="$PG_CONFIG" DESTDIR="$SERVER_ROOT" install >&2 || die "the installation failed"
        return 0
    fi
    others=$(as_root bash "$TOP/test/loaded.sh" "$PG_LIB/paws_sync.so" "$TOP/paws_sync.so")
    if [ -n "$others" ]; then
        say "A running server has another build of paws_sync loaded:"
        say "$others"
        if [ "${FORCE:-}" != 1 ]; then
            die "not installing over it; stop that server, or set FORCE=1 (it takes the new build at its next restart)"
        fi
        say "FORCE=1: installing over it."
    fi
    say "installing paws_sync $(built_version) into $PG_LIB and $PG_SHARE/extension"
    as_root make -s -C "$TOP" PG_CONFIG="$PG_CONFIG" install >&2 || die "the installation failed"
}
