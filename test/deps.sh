#!/bin/bash
# deps.sh [demo|canary|fuzz|bench]
#
# Installs the Debian packages that building needs and that are not there yet; with "demo" also what the tests
# and the demo need, with "canary" what the canary sweep needs, with "fuzz" what fuzzing needs, with "bench" the
# peers that are measured. Quiet when there is nothing to do. A default cluster is never created by it, and a
# running cluster is never restarted by an upgrade, unless FORCE=1.
set -euo pipefail

. "$(dirname "$0")/lib.sh"

conf=/etc/postgresql-common/createcluster.conf
saved=$conf.paws_sync-saved
# Older minor releases lack fixes that the extension counts on.
declare -A oldest=([15]=15.20)

packages=(make gcc libc6-dev libsodium-dev liblz4-dev libzstd-dev libkrb5-dev
          "postgresql-$PG_MAJOR" "postgresql-server-dev-$PG_MAJOR" libipc-run-perl)
case ${1:-} in
    demo)
        # libfaketime sets the clock of a server; the last three of these are for the unit tests: another implementation,
        # and published vectors.
        packages+=(libfaketime python3 python3-psycopg python3-fake-factory pgbouncer openssl binutils python3-cryptography
                   python3-cryptography-vectors golang-golang-x-crypto-dev)
        # node-postgres: Debian's, or the registry's for a node from elsewhere
        command -v node >/dev/null || packages+=(nodejs node-pg)
        ! command -v node >/dev/null || command -v npm >/dev/null || packages+=(node-pg)
        ;;
    canary)
        packages+=(python3 python3-psycopg python3-fake-factory)
        ;;
    fuzz)
        packages+=(clang-14 libclang-rt-14-dev)
        ;;
    bench)
        packages+=(python3 "postgresql-$PG_MAJOR-pgq3")
        # not beside a node from elsewhere, which may bring its own npm
        command -v node >/dev/null || packages+=(nodejs)
        command -v npm >/dev/null || packages+=(npm)
        ;;
esac

installed() {
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

outdated_server() {
    local version
    version=$(dpkg-query -W -f='${Version}' "postgresql-$PG_MAJOR" 2>/dev/null) || return 1
    [ -n "${oldest[$PG_MAJOR]:-}" ] && dpkg --compare-versions "$version" lt "${oldest[$PG_MAJOR]}"
}

log=
apt() {
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=300 \
        "$@" </dev/null >>"$log" 2>&1 || {
        tail -n 40 "$log" >&2
        die "apt-get $1 failed"
    }
}

policy_is_ours=
restore_conf() {
    if [ -n "$policy_is_ours" ]; then
        as_root rm -f "$policy"
        policy_is_ours=
    fi
    if as_root test -e "$saved"; then
        as_root mv -f "$saved" "$conf"
    fi
}

# The server package creates and starts a cluster at its first installation unless this setting says no.
without_main_cluster() {
    if ! installed postgresql-common; then
        apt install --no-install-recommends postgresql-common
    fi
    as_root touch "$conf"
    as_root cp -p "$conf" "$saved"
    as_root sed -i '/^[[:space:]]*create_main_cluster\b/d' "$conf"
    echo 'create_main_cluster = false' | as_root tee -a "$conf" >/dev/null
    apt install --no-install-recommends "postgresql-$PG_MAJOR"
    restore_conf
}

# An upgrade of the server package restarts its clusters: not ours to decide.
refuse_restart() {
    local running
    command -v pg_lsclusters >/dev/null || return 0
    running=$(pg_lsclusters -h 2>/dev/null | awk -v major="$PG_MAJOR" '$1 == major && $4 ~ /^online/ { print $1 "/" $2 }')
    [ -n "$running" ] && [ "${FORCE:-}" != 1 ] || return 0
    if as_root apt-get -s -q -y install --no-install-recommends "$@" </dev/null 2>/dev/null |
        grep -q "^Inst postgresql-$PG_MAJOR \["; then
        die "installing $* would upgrade postgresql-$PG_MAJOR and restart the running cluster(s)" \
            "$(echo "$running" | tr '\n' ' ')- upgrade it yourself, or set FORCE=1"
    fi
}

# The driver of the examples for node.js, where Debian's is not there.
install_node_driver() {
    local folder=$TOP/test/clients/node
    if ! command -v npm >/dev/null || installed node-pg || [ -e "$folder/node_modules/pg/package.json" ]; then
        return 0
    fi
    say "installing node-postgres for the examples"
    (cd "$folder" && npm ci --silent --ignore-scripts --no-audit --no-fund >&2) || die "npm could not install node-postgres"
}

[ "${1:-}" != demo ] || install_node_driver

wanted=()
for package in "${packages[@]}"; do
    installed "$package" || wanted+=("$package")
done
missing=${#wanted[@]}
if outdated_server; then
    wanted+=("postgresql-$PG_MAJOR")
fi
[ ${#wanted[@]} -gt 0 ] || exit 0

if ! command -v apt-get >/dev/null; then
    [ "$missing" -gt 0 ] || exit 0
    die "missing: ${wanted[*]}; install them by this system's own means"
fi
log=$(mktemp)
trap 'restore_conf; rm -f "$log"' EXIT
restore_conf                    # left by a run that was killed
say "installing ${wanted[*]}"
if [ "$missing" -gt 0 ]; then
    apt update
else
    # An old server serves; without a way to a newer one we go on with it.
    (apt update) 2>/dev/null || { say "warning: postgresql-$PG_MAJOR is older than ${oldest[$PG_MAJOR]}"; exit 0; }
fi
refuse_restart "${wanted[@]}"
# The tests start a pooler of their own; the package would start one for good.
policy=/usr/sbin/policy-rc.d
if [[ " ${wanted[*]} " == *" pgbouncer "* ]] && [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
    as_root chmod 0755 "$policy"
    policy_is_ours=1
fi
if ! installed "postgresql-$PG_MAJOR"; then
    without_main_cluster
fi
apt install --no-install-recommends "${wanted[@]}"
if outdated_server; then
    say "warning: the package source offers no postgresql-$PG_MAJOR as new as ${oldest[$PG_MAJOR]}"
fi
