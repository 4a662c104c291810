"""Fencing by the host's service manager: the server's systemd unit is barred from starting, killed, and seen gone. By SSH.

It is killed, not asked to stop: a stop may wait for minutes (a stopped process for ever), and would let clients finish meanwhile. A server
whose writes are taken over recovers as after a crash, in any case. It is masked before, since a unit with `Restart=` would come back, and
not only with `--runtime`, since the host may be booted again. With an option file, whatever starts the server all the same starts it
read-only.

Sources: systemctl(1): `mask` links the unit to /dev/null in /etc/systemd/system, so that nothing can start it, and reloads the manager;
`kill` signals all its processes; `show`. org.freedesktop.systemd1(5) for LoadState, UnitFileState and ActiveState. A unit whose file itself
lies in /etc/systemd/system can't be masked: systemctl refuses (systemd 252).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from interlock.dataclass import dataclass
from interlock.errors import StatementFailed
from interlock.fencing.door import takes_connections
from interlock.fencing.on_host import OnHost
from interlock.fencing.parts import FencingParts, FencingType, must_be_known
from interlock.model.effects import FenceOutside, FencingEffect, ReleaseOutside, RunCommand
from interlock.model.fencing import AgentFacts
from interlock.model.topology import ServerSpec
from interlock.ports import FenceAgent

_PROPERTIES = ("LoadState", "UnitFileState", "ActiveState", "SubState", "MainPID")
_ENDED = ("inactive", "failed")
_NOT_LOADED = 5  # systemctl's exit for a unit that is not loaded, which is none that runs (systemctl(1), exit status)

OPTIONS = """\
# Fenced from outside by Interlock: whatever starts this server starts it read-only. To release the fence removes this file.
[mysqld]
read_only=1
loose_super_read_only=1
"""
"""`loose_`: a server that does not know the option only warns (MariaDB has no super_read_only)."""
_ABSENT = ""

_WRITE = """umask 022 && printf %s "$2" | root tee "$1" >/dev/null && sync "$1\""""
"""Whatever root's own mask: a server passes over an option file that its account can't read, without a word (tried on MariaDB 10.11)."""
_LOOK = f"""\
systemctl show --property={",".join(_PROPERTIES)} "$1" || exit
echo "Listeners=$(ss -Hltn "sport = :$2" 2>/dev/null | wc -l)"
if [ -n "$3" ] && [ -e "$3" ]; then echo OptionFile=; cat "$3"; fi"""
"""In one command: each takes a round trip, and a shell on the host."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceAgent:
    """`raw`: the unit's state, and the text of the option file if there was one."""

    name: str
    host: OnHost
    master: ServerSpec
    unit: str
    option_file: str | None
    whole: bool = True

    def facts(self) -> AgentFacts:
        """Fenced: barred, also after a boot; ended, with no process left; and nobody listens at its port, by the host and from here.

        None for a unit that the host does not know: nothing was proved of the server then.
        """
        unit = self._read()
        listens = unit["Listeners"] not in {"", "0"} or takes_connections(self.master.host, self.master.port)
        barred = unit["UnitFileState"] == "masked" and unit["LoadState"] == "masked"
        ended = unit["ActiveState"] in _ENDED and unit["MainPID"] == "0"
        state = f"{self.unit} is {unit['ActiveState']} ({unit['SubState']}), {'barred from starting' if barred else 'not barred'}"
        port = f"; {'somebody' if listens else 'nobody'} listens at port {self.master.port}"
        kept = ("UnitFileState", "ActiveState") if self.option_file is None else ("UnitFileState", "ActiveState", "OptionFile")
        known = unit["LoadState"] not in {"", "not-found"}
        return AgentFacts(
            agent=self.name,
            cluster=self.host.cluster,
            fenced=(barred and ended and not listens) if known else None,
            whole=self.whole,
            detail=state + port if known else f"the host knows no unit {self.unit}",
            raw={key: unit[key] for key in kept},
        )

    def script(self, effect: FencingEffect, /) -> tuple[str, ...]:
        return self.host.script(self._orders(effect))

    def apply(self, effect: FencingEffect, /) -> None:
        """StatementFailed if there is no such unit (to mask it would look like a fence), it can't be barred, or not put back as it was."""
        if isinstance(effect, ReleaseOutside):
            must_be_known(effect.seen)
        elif self._read()["LoadState"] in {"", "not-found"}:
            raise StatementFailed(
                f"the host of {self.host.cluster} knows no unit {self.unit}",
                hint="see `systemctl list-units`, and correct the topology",
            )
        self.host.carry_out(self._orders(effect), effect.within_s)
        if isinstance(effect, ReleaseOutside) and _ran(effect.seen) and self.option_file is None:
            raise StatementFailed(
                f"{self.unit} on the host of {self.host.cluster} may be started again, and was not: it would take writes if its own option "
                "file says so",
                hint=f"see to `read_only` there, then: systemctl start {self.unit}; or give the fencing an `option_file`",
            )

    def _read(self) -> Mapping[str, str]:
        """Lines of `KEY=value`, and the option file's text behind them; a key that is not told is empty."""
        look = self.host.shell(_LOOK, self.unit, str(self.master.port), self.option_file or "")
        told, mark, text = self.host.look(look).stdout.partition("OptionFile=\n")
        unit = dict(line.split("=", 1) for line in told.splitlines() if "=" in line)
        return {**{key: unit.get(key, "") for key in (*_PROPERTIES, "Listeners")}, "OptionFile": text if mark else _ABSENT}

    def _orders(self, effect: FencingEffect) -> tuple[RunCommand, ...]:
        match effect:
            case FenceOutside():
                return (
                    *((self.host.shell(_WRITE, self.option_file, OPTIONS),) if self.option_file is not None else ()),
                    self.host.order("systemctl", "mask", self.unit),
                    self.host.order("systemctl", "kill", "--signal=SIGKILL", self.unit, exits=(0, 1, _NOT_LOADED)),
                    self.host.order("systemctl", "stop", self.unit, exits=(0, 1, _NOT_LOADED)),
                )
            case ReleaseOutside(seen=seen):
                return self._back(seen)

    def _back(self, seen: AgentFacts) -> tuple[RunCommand, ...]:
        """It starts while the option file is still there: fenced. Only then that goes, unless it was there before."""
        orders: list[RunCommand] = []
        if not seen.raw.get("UnitFileState", "masked").startswith("masked"):
            orders.append(self.host.order("systemctl", "unmask", self.unit))
            if _ran(seen) and self.option_file is not None:
                orders.append(self.host.order("systemctl", "start", self.unit))
        if self.option_file is not None and not seen.fenced:
            was = seen.raw.get("OptionFile", OPTIONS)
            orders.append(
                self.host.order("rm", "-f", self.option_file) if was == _ABSENT else self.host.shell(_WRITE, self.option_file, was)
            )
        return tuple(orders)


def _ran(seen: AgentFacts) -> bool:
    return seen.raw.get("ActiveState") in {"active", "activating", "reloading"}


def unit_of(settings: Mapping[str, object]) -> str:
    """The unit with its type: systemctl takes one without for a service, and tells it by its whole name."""
    unit = str(settings["unit"])
    return unit if re.search(r"\.[a-z]+$", unit) else f"{unit}.service"


def _make(parts: FencingParts) -> FenceAgent:
    return ServiceAgent(
        name=parts.name,
        host=parts.on_host(),
        master=parts.cluster.master,
        unit=unit_of(parts.settings),
        option_file=parts.text("option_file"),
    )


SERVICE = FencingType(name="service", summary="The host's systemd unit, by SSH: killed, and barred from starting.", make=_make)
