#!/bin/sh
# Makes the data directory the first time, then becomes the server. usage: start SIDE, which is the name of its option file
set -eu

data=/var/lib/mysql
given=/secrets/mariadb

if [ ! -e "$data/made" ]; then
    find "$data" -mindepth 1 -delete # what a first start that was interrupted had left
    mariadb-install-db --no-defaults --force --skip-name-resolve --skip-test-db --datadir="$data" --innodb-log-file-size=4M \
        --extra-file="$given/accounts.sql" >/dev/null
    touch "$data/made"
fi
exec mariadbd --defaults-file="$given/$1.cnf" --init-file="$given/passwords.sql"
