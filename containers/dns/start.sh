#!/bin/sh
# The zone as it is in the beginning; then becomes the name server.
set -eu
cp /etc/dns/pair.test /var/lib/zone/
exec named -g -c /etc/dns/named.conf
