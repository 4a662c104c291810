"""The sandbox's own fencing from outside: a server is killed, and barred from starting until that is taken back.

It stands for what stops a real one: its service, its machine's power. A hook of a shell, since a failover waits for it, and Python alone
would take a tenth of a second to start.
"""

from __future__ import annotations

import json
from pathlib import Path

from interlock.errors import Refused
from interlock.sandbox.places import Member, Sandbox

HOOK = """\
#!/bin/sh
# How this sandbox fences a server from outside: FENCE fence|show|release NAME. Made by `interlock sandbox up`.
#   fence    kill the server, see it gone, and bar it from being started again by `interlock sandbox start`
#   show     print `stopped` (gone and barred), `ended` (gone, and might be started again) or `running`
#   release  let it be started again; it starts fenced, by its option file
here=${0%/*}
name=$2
if [ ! -f "$here/$name.cnf" ]; then echo "there is no server $name in $here" >&2; exit 2; fi
# A server is a process that was given its option file; one that has ended and was not taken note of has no words any more (proc(5)).
running() {
  for file in $(printf '%s\\n' "--defaults-file=$here/$name.cnf" | grep -lszxF -f - /proc/[0-9]*/cmdline); do
    file=${file%/cmdline}; echo "${file#/proc/}"
  done
}
case $1 in
fence)
  : > "$here/$name.barred" || exit 1
  tries=0
  while left=$(running); [ -n "$left" ]; do
    kill -9 $left 2> /dev/null
    tries=$((tries + 1))
    if [ $tries -gt 400 ]; then echo "$name (process $left) still runs after it was killed" >&2; exit 1; fi
    sleep 0.005
  done ;;
show)
  if [ -n "$(running)" ]; then echo running
  elif [ -f "$here/$name.barred" ]; then echo stopped
  else echo ended
  fi ;;
release)
  rm -f "$here/$name.barred" ;;
*)
  echo "usage: $0 fence|show|release NAME" >&2; exit 2 ;;
esac
"""


def hook(sandbox: Sandbox) -> Path:
    return Path(sandbox.directory) / "fence"


def write_hook(sandbox: Sandbox) -> None:
    """Absolute by the way it is called, so it says its own folder: the topology file names it so."""
    path = hook(sandbox)
    path.write_text(HOOK)
    path.chmod(0o700)


def fencing(sandbox: Sandbox) -> str:
    """The lines of the topology file for each of the clusters."""
    words = {verb: json.dumps([str(hook(sandbox)), verb, "{cluster}"]) for verb in ("fence", "show", "release")}
    return f"""\
    fencing:
    - {{type: command, fence: {words["fence"]}, show: {words["show"]}, fenced: stopped, release: {words["release"]}}}
"""


def is_barred(member: Member) -> bool:
    return _marker(member).exists()


def must_not_be_barred(member: Member) -> None:
    """Refused while it is fenced from outside."""
    if is_barred(member):
        raise Refused(
            f"{member.name} was fenced from outside and is barred from starting",
            hint=f"start it as it is, fenced: interlock sandbox start {member.name} --barred; then: interlock rejoin {member.name}",
        )


def unbar(member: Member) -> None:
    """What the hook's `release` does."""
    _marker(member).unlink(missing_ok=True)


def _marker(member: Member) -> Path:
    return Path(member.options).with_suffix(".barred")
