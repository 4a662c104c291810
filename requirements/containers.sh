#!/bin/bash
# A container engine with compose v2, where there is none: installed from Debian, and started if it does not answer.
#   containers.sh         install what is missing, start the engine if it is down, make the base image if it can't be pulled
#   containers.sh run …   the same, then a command; an engine that this call started is ended with it
#   containers.sh stop    end the engine that this script started, and nothing else
set -euo pipefail

base=debian:bookworm-slim
state=/run/interlock-engine
plugins=/usr/local/lib/docker/cli-plugins

as_root() {
    if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}
apt() {
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 "$@"
}
answers() {
    docker info >/dev/null 2>&1
}
installed() {
    PATH="$PATH:/usr/sbin:/sbin" command -v "$1" >/dev/null
}

stop() {
    [ -e "$state/pid" ] || return 0
    local pid
    pid=$(cat "$state/pid")
    # the number may be another's by now
    if [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = dockerd ]; then
        as_root kill "$pid"
        while [ -e "/proc/$pid" ]; do sleep 0.1; done
    fi
    as_root rm -rf "$state"
}

install_engine() {
    echo "installing a container engine"
    # packages start their services when they are installed, unless this file forbids it (invoke-rc.d(8))
    local policy=/usr/sbin/policy-rc.d made=
    if [ ! -e "$policy" ]; then
        made=yes
        printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
        as_root chmod 755 "$policy"
    fi
    apt update
    apt install -y --no-install-recommends docker.io iptables >/dev/null
    if [ -n "$made" ]; then as_root rm -f "$policy"; fi
}

start_engine() {
    if [ -d /run/systemd/system ]; then
        as_root systemctl start docker
        return
    fi
    as_root mkdir -p "$state"
    # an engine that turns forwarding on itself also drops all that it does not know, such as other network namespaces of this machine
    echo 1 | as_root tee /proc/sys/net/ipv4/ip_forward >/dev/null
    started=yes
    as_root sh -c "setsid dockerd >'$state/log' 2>&1 </dev/null & echo \$! >'$state/pid'"
    for _ in $(seq 150); do
        if answers; then return; fi
        sleep 0.2
    done
    tail -20 "$state/log" >&2
    echo "the engine does not answer after 30 s; its log is $state/log" >&2
    exit 1
}

# Bookworm has compose v1 only. The plugins of the next suite are single programs: they are unpacked, and the system stays as it is.
install_plugins() {
    echo "installing compose"
    local folder mirror
    folder=$(mktemp -d)
    mirror=$(apt-get indextargets --format '$(REPO_URI) $(RELEASE)' 'Created-By: Packages' | awk '$2 == "bookworm" {print $1; exit}')
    mkdir -p "$folder"/{lists/partial,archives/partial,x}
    echo "deb $mirror trixie main" >"$folder/sources.list"
    local private=(-o "Dir::Etc::SourceList=$folder/sources.list" -o Dir::Etc::SourceParts=/dev/null -o "Dir::State::Lists=$folder/lists"
        -o "Dir::Cache=$folder" -o APT::Sandbox::User=root)
    apt "${private[@]}" update
    (cd "$folder" && apt "${private[@]}" download docker-compose docker-buildx >/dev/null)
    for package in "$folder"/*.deb; do dpkg-deb -x "$package" "$folder/x"; done
    as_root mkdir -p "$plugins"
    as_root install -m 755 "$folder"/x/usr/libexec/docker/cli-plugins/* "$plugins"
    rm -rf "$folder"
}

# Stands in for the published image on a machine that reaches no registry of images: the same suite, by debootstrap.
make_base() {
    echo "$base can't be pulled: making it with debootstrap"
    installed debootstrap || { apt update && apt install -y --no-install-recommends debootstrap >/dev/null; }
    local folder
    folder=$(mktemp -d)
    as_root debootstrap --variant=minbase bookworm "$folder/root" >"$folder/log" 2>&1 || { tail -20 "$folder/log" >&2; exit 1; }
    if [ -e /etc/apt/sources.list.d/debian.sources ]; then # its security updates too
        as_root cp /etc/apt/sources.list.d/debian.sources "$folder/root/etc/apt/sources.list.d/"
        as_root rm -f "$folder/root/etc/apt/sources.list"
    fi
    # as in the published slim image
    as_root rm -rf "$folder"/root/usr/share/{doc,man,locale,info} "$folder"/root/var/cache/apt/* "$folder"/root/var/lib/apt/lists/*
    as_root tar -C "$folder/root" -c . | docker import - "$base" >/dev/null
    as_root rm -rf "$folder"
}

started=
case "${1:-}" in
stop)
    stop
    exit 0
    ;;
run) trap '[ -z "$started" ] || stop' EXIT ;;
esac
installed dockerd || answers || install_engine
answers || start_engine
docker compose version >/dev/null 2>&1 && docker buildx version >/dev/null 2>&1 || install_plugins
docker image inspect "$base" >/dev/null 2>&1 || docker pull -q "$base" 2>/dev/null || make_base
if [ "${1:-}" = run ]; then "${@:2}"; fi
