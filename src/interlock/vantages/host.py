"""The server's own host, by SSH: does its service, or a process of that name, run?

With a `unit` (from `fencing: service`) the service manager counts (systemctl(1), ActiveState). Without one a listener at the port, or
any process of a server's name, counts as running: on a host of several servers, name the unit.
"""

from __future__ import annotations

from collections.abc import Callable

from interlock.errors import DriverError, StatementFailed, Unreachable
from interlock.model.effects import RunCommand
from interlock.model.facts import CommandResult
from interlock.model.liveness import View
from interlock.model.topology import ClusterName
from interlock.ports import Outside
from interlock.vantages.point import Sight

_PROCESSES = """\
for each in /proc/[0-9]*; do
  { read -r name <"$each/comm"; } 2>/dev/null || continue
  case $name in mysqld|mariadbd) ;; *) continue ;; esac
  { read -r pid _ state _ <"$each/stat"; } 2>/dev/null || continue
  [ "$state" = Z ] || echo "process $name $pid"
done
grep -qsE ": [0-9A-F]+:$(printf %04X "$1") [0-9A-F]+:0000 0A" /proc/net/tcp /proc/net/tcp6 && echo listens
echo looked
"""
"""proc(5): `comm` is a process's name, state Z has ended; in net/tcp, state 0A listens. `looked` says that it came to its end."""

_RUNS = frozenset({"active", "activating", "deactivating", "reloading", "maintenance", "refreshing"})
_ENDED = frozenset({"inactive", "failed"})
_SSH_S = 0.1


def visit(outside: Outside, cluster: ClusterName, *, port: int, unit: str | None) -> Callable[[float], Sight]:
    """How to look on the host of `cluster`. A unit without a suffix is a service."""
    unit = f"{unit}.service" if unit and "." not in unit else unit
    argv = ("systemctl", "show", "--property=LoadState,ActiveState,MainPID", unit) if unit else ("sh", "-c", _PROCESSES, "sh", str(port))

    def see(within_s: float) -> Sight:
        try:
            result = outside.run(RunCommand(argv=argv, within_s=max(_SSH_S, within_s), host=cluster))
        except Unreachable as error:
            return Sight(View.SILENT, error.message)
        except DriverError as error:
            return Sight(View.UNKNOWN, error.message)
        if not isinstance(result, CommandResult):
            raise StatementFailed(f"{argv[0]} gave no output: {result}")
        return by_unit(result.stdout, str(unit)) if unit else by_processes(result.stdout, port)

    return see


def by_unit(printed: str, unit: str) -> Sight:
    """`deactivating` still runs. A unit that does not exist is `inactive` too: a wrong name must not pass for a server that is gone."""
    said = dict(line.split("=", 1) for line in printed.splitlines() if "=" in line)
    state, pid = said.get("ActiveState", ""), said.get("MainPID", "0")
    if state in _RUNS or pid not in {"", "0"}:
        return Sight(View.RUNS, f"{unit} is {state}, process {pid}")
    if state not in _ENDED or said.get("LoadState") not in {"loaded", "masked"}:
        return Sight(View.UNKNOWN, f"{unit} is {state or 'not known'}, {said.get('LoadState', 'not known')}")
    return Sight(View.STOPPED, f"{unit} is {state}")


def by_processes(printed: str, port: int) -> Sight:
    lines = printed.split("\n")
    if "looked" not in lines:
        return Sight(View.UNKNOWN, f"it printed {printed[:80]!r}")
    running = [line.removeprefix("process ") for line in lines if line.startswith("process ")]
    if "listens" in lines:
        return Sight(View.RUNS, f"somebody listens at port {port}")
    if running:
        return Sight(View.RUNS, f"{', '.join(running[:3])}; nobody listens at port {port}")
    return Sight(View.STOPPED, "no such process")
