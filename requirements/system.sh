#!/bin/bash
# Installs the Debian packages that the sandbox and the tests run, if one is missing. No service of theirs is started.
set -euo pipefail

missing=()
need() { # PROGRAM PACKAGE
    PATH="$PATH:/usr/sbin:/sbin" command -v "$1" >/dev/null || missing+=("$2")
}
need mariadbd mariadb-server-core # servers, without the system's own service, user or data directory
need mariadb mariadb-client-core
need mariadb-binlog mariadb-client
need mariadb-backup mariadb-backup # a copy of the data when a server comes back: 7 MB, 30 installed
need haproxy haproxy
need etcd etcd-server # the tests of the store in etcd
need ip iproute2 # the tests of cut links: a network namespace for each host
need nft nftables # the tests of a port that a firewall closes
need faketime faketime # the tests of a clock that is off
need sshd openssh-server # the tests of commands on another host
need named bind9 # the tests of DNS routes
need nsupdate bind9-dnsutils # what an operator would do by hand
need knotd knot # the same, another make
need socat socat # what an operator would tell a proxy by hand
need arping iputils-arping # the tests of virtual addresses
need pt-table-checksum percona-toolkit # what `make bench-diff` measures against
need sudo sudo # the same, where `ip` is run by it
if ! "${PYTHON:-python3}" -c 'import ensurepip, venv' 2>/dev/null; then missing+=(python3-venv); fi
[ ${#missing[@]} -gt 0 ] || exit 0

if ! command -v apt-get >/dev/null; then
    echo "missing, and this is no Debian to install them on: ${missing[*]}" >&2
    exit 1
fi
as_root=()
if [ "$(id -u)" -ne 0 ]; then as_root=(sudo); fi

# Packages start their services when they are installed, unless this file forbids it (invoke-rc.d(8)).
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    trap '"${as_root[@]}" rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null
    "${as_root[@]}" chmod 755 "$policy"
fi
echo "installing ${missing[*]}"
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
