"""What runs on the two hosts of a copy by mariadb-backup: one shell script for each step, as root (`sudo -n sh` where the topology says
`sudo`). Each takes its values as words, so that none of them is ever read as code.

Sources: MariaDB documentation, "mariadb-backup Overview" (a backup is sent by `--stream`, unpacked by `mbstream`, and of use only after
`--prepare`), "mariadb-backup Options", "BACKUP STAGE" (commits wait from BLOCK_COMMIT to END), "Setting up a Replica (mariadb-backup)".
"""

from __future__ import annotations

_PATH = 'PATH="$PATH:/usr/sbin:/sbin"\n'
_ALONE = """\
exec 9> "$1.interlock-lock" || exit
flock -w 20 9 || { echo "an earlier copy is still at work on this host" >&2; exit 75; }
"""
"""What a process that was killed had begun goes on here: nothing else is done to the data directory before that has ended."""

LOCKS = "interlock: the backup locks from here on"

LOOK = (
    _PATH
    + """\
data=$(readlink -f "$1") peer=$2 unit=$3 options=$4
[ "$(id -u)" = 0 ] || { echo "the login can't do it: it is not root's, and the service does not say \\`sudo: true\\`" >&2; exit 1; }
[ -d "$data" ] || { echo "the directory $1 can't be found: is it another host?" >&2; exit 1; }
echo "data=$data"
for pid in $(ss -Htnp "dport = :$peer" | grep -o 'pid=[0-9]*' | cut -d = -f 2 | sort -u); do
  if [ "$(readlink "/proc/$pid/cwd")" = "$data" ]; then echo "server=$pid"; fi
done
echo "backup=$(mariadb-backup --version 2>&1 | head -n 1)"
for one in mariadb-backup mbstream mariadbd flock ss; do command -v $one > /dev/null || echo "missing=$one"; done
echo "elsewhere=$(find "$data/" \\( -name '*.isl' -o -name '#rocksdb' -o -type l \\) -print 2> /dev/null | head -n 1)"
echo "bytes=$(find "$data/" -type f \\( -name '*.ibd' -o -name 'ibdata*' -o -name 'undo*' -o -name '*.MA[ID]' -o -name '*.MY[ID]' \\) \
-printf '%s\\n' | awk '{sum += $1} END {printf "%.0f", sum}')"
if [ -z "$unit" ]; then exit 0; fi
left=$(du -csB1 "$data".interlock-copy-* 2> /dev/null | tail -n 1 | cut -f 1)
echo "free=$(($(df -B1 --output=avail "$data/.." | tail -n 1) + ${left:-0}))"
if [ "$(stat -c %d "$data")" != "$(stat -c %d "$data/..")" ]; then echo mount=yes; fi
if [ -d "$(dirname "$options")" ]; then echo folder=yes; fi
systemctl show --property=LoadState,ActiveState,MainPID "$unit"
"""
)
"""A server's data directory, the port of one of our connections as the server sees it, its unit (empty for the writer), the option file:
lines of `KEY=value`. `server` is the process that has our connection and works in that directory, as a server does (its `chdir`): so the
host and the unit are known to be its own. What a copy that was not ended left there counts as free, for it goes first.
"""

CLEAR = (
    _PATH
    + _ALONE
    + """\
for one in "$1".interlock-copy-*; do if [ -e "$one" ]; then rm -rf "$one" || exit; fi; done
rm -f "$2"
"""
)
"""Data directory, our option file: what a copy that was not ended left there goes."""

SEND = (
    _PATH
    + f"locks='{LOCKS}'\n"
    + """\
umask 077
work=$(mktemp -d) && : > "$work/said" || exit
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM PIPE
cat > "$work/login" && exec 5< "$work/login" && rm "$work/login" || exit
mariadb-backup --defaults-file=/dev/stdin --backup --stream=xbstream --target-dir="$work" 0<&5 2> "$work/said" &
backup=$! told= held=0
while kill -0 $backup 2> /dev/null; do
  if [ -z "$told" ] && grep -q 'BACKUP STAGE FLUSH' "$work/said"; then told=yes; echo "$locks" >&2; fi
  if [ -n "$told" ] && grep -q 'BACKUP STAGE BLOCK_COMMIT' "$work/said" && ! grep -q 'BACKUP STAGE END' "$work/said"; then
    held=$((held + 1))
    if [ $held -gt $(($1 * 5)) ]; then kill -9 $backup; echo "Error: the writer's commits waited for ${1}s: ended" >> "$work/said"; fi
  fi
  sleep 0.2
done
wait $backup
code=$?
tail -n 12 "$work/said" >&2
if [ $code = 0 ] && ! grep -q 'completed OK!' "$work/said"; then exit 1; fi
exit $code
"""
)
"""Seconds that commits may wait; the login on stdin, as an option file, which stands in a file without a name, since the program reads it
more than once. It says LOCKS once it begins to lock something: from then on nobody may hold its output back. A host may say more at a login
(sudo, a locale that it lacks).
"""

RECEIVE = _PATH + 'umask 077\nmkdir "$1" && exec mbstream -x -C "$1"\n'
"""The new directory; the stream on stdin."""

PREPARE = (
    _PATH
    + _ALONE
    + """\
data=$1 new=$2
if ! mariadb-backup --prepare --target-dir="$new" > "$new.said" 2>&1 || ! grep -q 'completed OK!' "$new.said"; then
  tail -n 12 "$new.said" >&2; rm "$new.said"; exit 1
fi
rm "$new.said"
chown -R --reference="$data" "$new" && chmod --reference="$data" "$new" || exit
if ! said=$(printf '%s\\n' "$3" | mariadbd --defaults-file="$new/backup-my.cnf" --bootstrap --datadir="$new" --tmpdir="$new" \
--user="$(stat -c %U "$data")" 2>&1); then
  printf '%s\\n' "$said" | tail -n 12 >&2; exit 1
fi
cat "$new/mariadb_backup_binlog_info" 2> /dev/null || cat "$new/xtrabackup_binlog_info"
"""
)
"""Data directory, the new one, statements: the data are made whole and say what the statements write; their position is told."""

SWAP = (
    _PATH
    + _ALONE
    + """\
trap '' PIPE
umask 022
data=$1 new=$2 old=$3 unit=$4 options=$5
fail() { systemctl start "$unit" 9>&-; echo "$1" >&2; exit 1; }
printf %s "$6" > "$options" && sync "$options" && sync -f "$new" || exit
systemctl stop "$unit" 9>&- || fail "$unit can't be stopped"
[ "$(systemctl show --property=MainPID "$unit" | sed -n 's/^MainPID=//p')" = 0 ] || fail "$unit can't be seen to have ended"
for one in "$data"/master*.info "$data"/multi-master.info; do
  if [ -e "$one" ]; then cp -p "$one" "$new/" || fail "the channel can't be taken over: $one"; fi
done
mv -T "$data" "$old" || fail "$data can't be moved to $old"
for one in /proc/[0-9]*; do
  if [ "$(readlink "$one/cwd")" = "$old" ] && grep -qE 'mariadbd|mysqld' "$one/comm"; then
    mv -T "$old" "$data"; echo "$data can't be replaced: a server was started there meanwhile (process ${one#/proc/})" >&2; exit 1
  fi
done
mv -T "$new" "$data" || { mv -T "$old" "$data"; fail "$new can't be moved to $data"; }
if command -v restorecon > /dev/null; then restorecon -R "$data"; fi
systemctl start "$unit" 9>&- || { echo "$unit can't be started with the new data; those of before are in $old" >&2; exit 1; }
"""
)
"""Data directory, the new one, where the old one goes, unit, our option file and its text. If we end, the script goes on to its end, also
if systemctl has something to say that nobody hears. The server's own account must be able to read the option file.

Who starts the service between its stop and the first move has a server that goes on with the old data, wherever they are moved: that is
seen once they are moved, since none can begin there any more.
"""
