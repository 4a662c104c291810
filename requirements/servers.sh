#!/bin/bash
# Puts servers that this Debian does not have into folders of their own: MySQL 9.7 (Debian sid) and MariaDB 11.8 (Debian 13). The host's own
# packages and libc stay as they are: the packages are unpacked, not installed, and each program runs through the loader that came with it.
# Nothing is done for what is there already. usage: servers.sh [mysql-9.7] [mariadb-11.8]
set -euo pipefail

home="${INTERLOCK_SERVERS:-${XDG_CACHE_HOME:-$HOME/.cache}/interlock/servers}"
lib="usr/lib/$(uname -m)-linux-gnu"

unpack() { # NAME SUITE PACKAGE…
    local name=$1 suite=$2 folder="$home/$1"
    shift 2
    [ ! -e "$folder/ready" ] || return 0
    mkdir -p "$home"
    exec 9>"$home/$name.lock" # two at once: the second one waits, and finds it done
    flock 9
    [ ! -e "$folder/ready" ] || return 0
    echo "unpacking $name from Debian $suite"
    rm -rf "$folder"
    mkdir -p "$folder"/{bin,root} "$folder"/apt/{lists/partial,archives/partial}
    : >"$folder/apt/status" # as if nothing were installed: the packages bring all their libraries along
    echo "deb $(mirror) $suite main" >"$folder/apt/sources.list"
    cat >"$folder/apt/apt.conf" <<-CONF
		Dir::Etc::SourceList "$folder/apt/sources.list";
		Dir::Etc::SourceParts "/dev/null";
		Dir::State::Lists "$folder/apt/lists";
		Dir::State::status "$folder/apt/status";
		Dir::Cache "$folder/apt";
		APT::Install-Recommends "0";
		APT::Sandbox::User "$(id -un)";
		Acquire::Languages "none";
		Acquire::Check-Valid-Until "false"; // a mirror's sid may be older than its week; its signature is checked all the same
		Debug::NoLocking "1";
	CONF
    APT_CONFIG="$folder/apt/apt.conf" apt-get -qq update
    APT_CONFIG="$folder/apt/apt.conf" apt-get -qq -y --download-only install "$@" >/dev/null
    for package in "$folder"/apt/archives/*.deb; do
        case "${package##*/}" in perl* | libperl* | libgdbm* | libdb5* | debconf* | gcc-* | libc-gconv*) continue ;; esac
        dpkg-deb --fsys-tarfile "$package" | tar -C "$folder/root" -x --exclude='./usr/share/doc*' --exclude='./usr/share/man*' \
            --exclude='./usr/share/locale*' --exclude='./usr/share/icu*' --exclude='*group_replication*' --exclude='*telemetry*' \
            --exclude='*oci_client*' --exclude='*kerberos_client*' --exclude='*openid*'
    done
    rm -rf "$folder/apt"
    for program in sbin/mysqld sbin/mariadbd bin/mysql bin/mysqlbinlog bin/mysqldump bin/mariadb bin/mariadb-binlog bin/mariadb-dump; do
        [ -f "$folder/root/usr/$program" ] || continue
        wrap "$folder" "$program"
    done
    touch "$folder/ready"
}

wrap() { # FOLDER PROGRAM: a script of the program's name that runs it with its own loader and libraries
    local root="$1/root" to="$1/bin/${2##*/}" loader
    loader=$(echo "$root/$lib"/ld-linux-*.so.*)
    [ -e "$loader" ] || loader=$(echo "$root"/usr/lib*/ld-linux-*.so.*)
    printf '#!/bin/sh\nexec "%s" --library-path "%s" --argv0 "%s" "%s" "$@"\n' \
        "$loader" "$root/$lib" "$root/usr/$2" "$root/usr/$2" >"$to"
    chmod 755 "$to"
}

mirror() { # the one that this host uses
    local found
    found=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep -v security | sort -u | head -1)
    [ -n "$found" ] || found=$(sed -n 's/^URIs: *//p' /etc/apt/sources.list.d/*.sources | grep -v security | head -1)
    echo "$found"
}

for wanted in "${@:-mysql-9.7}"; do
    case "$wanted" in
    mysql-9.7) unpack "$wanted" sid mysql-server-core mysql-client-core ;;
    mariadb-11.8) unpack "$wanted" trixie mariadb-server-core mariadb-client-core mariadb-client ;;
    *) echo "no server is called $wanted: mysql-9.7, mariadb-11.8" >&2 && exit 2 ;;
    esac
done
