#!/bin/bash
# bare-debian.sh [demo] [test] [user] [again]
#
# Proves the two commands on a bare Debian: bootstraps a minimal root into a scratch folder, clones the
# repository into it, installs git and make and nothing else, and runs
#
#   demo    make demo, as root
#   test    make test, as root
#   user    make demo, as an ordinary user with sudo
#   again   make demo, as root, once more
#
# (by default all, in this order). After each step no server may be left running, nor a default cluster be
# there. Needs root, debootstrap and git. The package sources are those that this machine's apt uses.
#
#   SUITE=bookworm   PG_MAJOR=15   another release and its PostgreSQL
#   BARE_ROOT=...    a root that an earlier run left with BARE_KEEP=1; BARE_KEEP=1 leaves it
#   WORK_TREE=1      copy the files as they are, not what is committed
set -euo pipefail

. "$(dirname "$0")/lib.sh"

[ "$(id -u)" = 0 ] || die "bootstrapping needs root"
command -v debootstrap >/dev/null || die "debootstrap is not installed"
suite=${SUITE:-bookworm}

# Everything below runs with mounts and process ids of its own: they end with it, whatever happens.
if [ "${1:-}" != --inside ]; then
    steps=("$@")
    [ ${#steps[@]} -gt 0 ] || steps=(demo test user again)
    if [ -n "${BARE_ROOT:-}" ]; then
        root=$BARE_ROOT
    else
        root=$(mktemp -d "${TMPDIR:-/tmp}/paws_bare.XXXXXX")
        chmod 0755 "$root"
    fi
    if [ "${BARE_KEEP:-}" != 1 ]; then
        trap 'rm -rf --one-file-system -- "$root"' EXIT
    fi
    unshare --mount --pid --fork --kill-child bash "$0" --inside "$root" "${steps[@]}"
    exit
fi
root=$2
shift 2

sources() {
    apt-get indextargets --format '$(REPO_URI) $(CODENAME) $(COMPONENT)' 'Created-By: Packages' |
        awk -v suite="$suite" 'index($2, suite) == 1 && $3 == "main" { print "deb " $1 " " $2 " " $3 }' | sort -u
}

bootstrap() {
    local mirror
    mirror=$(sources | awk -v suite="$suite" '$3 == suite { print $2; exit }')
    if [ -z "$mirror" ]; then   # this machine runs another release
        mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' | head -n 1)
    fi
    say "bootstrapping $suite into $root"
    debootstrap --variant=minbase "$suite" "$root" "$mirror" >"$root.log" 2>&1 || {
        tail -n 20 "$root.log" >&2
        die "debootstrap failed"
    }
    rm -f "$root.log"
    if [ -n "$(sources)" ]; then
        sources >"$root/etc/apt/sources.list"
    fi
    apt-config dump | grep -E '^Acquire::(http|https)::' >"$root/etc/apt/apt.conf.d/50host" || true
    printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
    chmod +x "$root/usr/sbin/policy-rc.d"
}

inside() {
    local user=$1 home
    shift
    home=$(chroot "$root" sh -c "echo ~$user")
    chroot "$root" runuser -u "$user" -- env -i HOME="$home" USER="$user" TERM=dumb \
        PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin PG_MAJOR="$PG_MAJOR" \
        sh -euc "$*" </dev/null
}

prepare() {
    mountpoint -q "$root/proc" || mount -t proc proc "$root/proc"
    mkdir -p "$root/dev/shm"
    mountpoint -q "$root/dev/shm" || mount -t tmpfs tmpfs "$root/dev/shm"
    cp /etc/resolv.conf /etc/hosts "$root/etc/"
    inside root "apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y git make" >"$root/prepare.log" 2>&1 || {
        tail -n 20 "$root/prepare.log" >&2
        die "git and make were not installed"
    }
}

# clone USER: the repository in the user's home.
clone() {
    local home
    home=$root$(chroot "$root" sh -c "echo ~$1")
    rm -rf "$home/paws_sync"
    if [ "${WORK_TREE:-}" = 1 ]; then
        mkdir "$home/paws_sync"
        git -C "$TOP" ls-files -co -z --exclude-standard |
            tar -C "$TOP" --null --ignore-failed-read -T - -cf - | tar -C "$home/paws_sync" -xf -
        git -C "$home/paws_sync" init -q
    else
        git clone -q --no-hardlinks "$TOP" "$home/paws_sync"
    fi
    inside root "chown -R $1: ~$1/paws_sync"
}

# The process ids seen here are those of this run alone.
nothing_left() {
    local comm found=0
    for comm in /proc/[0-9]*/comm "$root"/proc/[0-9]*/comm; do
        if [ "$(cat "$comm" 2>/dev/null)" = postgres ] && [[ $comm == "$root"/* ]]; then
            say "left running: $(tr '\0' ' ' <"${comm%comm}cmdline" 2>/dev/null)"
            found=1
        fi
    done
    if compgen -G "$root/var/lib/postgresql/*/main" >/dev/null; then
        say "a default cluster was created"
        found=1
    fi
    if compgen -G "$root/tmp/paws*" >/dev/null; then
        say "left in the temporary folder: $(ls "$root/tmp")"
        found=1
    fi
    if [ -e "$root/etc/postgresql-common/createcluster.conf.paws_sync-saved" ] ||
        grep -qsE '^[[:space:]]*create_main_cluster' "$root/etc/postgresql-common/createcluster.conf"; then
        say "createcluster.conf was not put back"
        found=1
    fi
    return "$found"
}

step() {
    local name=$1 user=$2 command=$3 began=$SECONDS
    say "== $name: $command as $user"
    if inside "$user" "cd ~/paws_sync && $command" >&2 && nothing_left; then
        echo "ok - $name ($((SECONDS - began)) s)"
    else
        echo "not ok - $name ($((SECONDS - began)) s)"
        failed=1
    fi
}

failed=0
[ -x "$root/usr/bin/apt-get" ] || bootstrap
prepare
clone root
for name in "$@"; do
    case $name in
        demo|again) step "$name" root "make demo" ;;
        test) step "$name" root "CI=1 make test" ;;
        user)
            inside root "DEBIAN_FRONTEND=noninteractive apt-get -qq install -y sudo" >/dev/null 2>&1
            inside root "id tester >/dev/null 2>&1 || useradd -m -s /bin/bash tester"
            echo 'tester ALL=(ALL) NOPASSWD: ALL' >"$root/etc/sudoers.d/tester"
            clone tester
            step "$name" tester "make demo"
            ;;
        *) step "$name" root "$name" ;;
    esac
done
exit "$failed"
