#!/bin/sh
# Makes the data directory the first time, then becomes the server. usage: start SIDE, which is the name of its option file
set -eu

data=/var/lib/mysql
given=/secrets/mysql

if [ ! -e "$data/made" ]; then
    find "$data" -mindepth 1 -delete # what a first start that was interrupted had left
    mysqld --defaults-file="$given/paths.cnf" --initialize-insecure --datadir="$data" --innodb-redo-log-capacity=32M \
        --innodb-doublewrite=OFF --innodb-flush-method=nosync --innodb-numa-interleave=0 --init-file="$given/accounts.sql"
    touch "$data/made"
fi
exec mysqld --defaults-file="$given/$1.cnf" --init-file="$given/passwords.sql"
