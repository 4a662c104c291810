"""Fencing by a team's own programs: a power switch, a cloud's API, a hypervisor. They run on this machine.

Contract: `fence` ends with 0 once the cluster's server can take no client's write, and does no harm when it is run again; `show` looks for
itself and prints the word of `fenced` exactly then; `release` undoes it, and ends with 0.
"""

from __future__ import annotations

from typing import cast

from interlock.dataclass import dataclass
from interlock.errors import DriverError, StatementFailed
from interlock.fencing.bounds import program_s
from interlock.fencing.parts import FencingParts, FencingType, must_be_known
from interlock.model.effects import FenceOutside, FencingEffect, ReleaseOutside, RunCommand
from interlock.model.facts import CommandResult
from interlock.model.fencing import AgentFacts
from interlock.model.topology import ClusterName
from interlock.ports import FenceAgent, Outside

Argv = tuple[str, ...]

_SHOWN_LIMIT = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandAgent:
    """`within_s` bounds each of the programs by itself."""

    name: str
    cluster: ClusterName
    outside: Outside
    fence: Argv
    show: Argv
    fenced: str
    release: Argv | None
    whole: bool
    within_s: float

    def facts(self) -> AgentFacts:
        """A `show` that fails, or does not end, could not tell; that keeps nobody from fencing."""
        try:
            result = self.outside.run(RunCommand(argv=self.show, within_s=self.within_s))
        except DriverError as error:
            return self._facts(fenced=None, detail=error.message)
        said = result.stdout.strip() if isinstance(result, CommandResult) else ""
        return self._facts(fenced=said == self.fenced, detail=f"`show` says {said[:_SHOWN_LIMIT]!r}", shown=said[:_SHOWN_LIMIT])

    def script(self, effect: FencingEffect, /) -> tuple[str, ...]:
        return tuple(line for order in self._orders(effect) for line in self.outside.script(order))

    def apply(self, effect: FencingEffect, /) -> None:
        """StatementFailed for another exit than 0, and for a release that can't be made."""
        if isinstance(effect, ReleaseOutside):
            self._must_be_releasable(effect.seen)
        for order in self._orders(effect):
            self.outside.run(order)

    def _orders(self, effect: FencingEffect) -> tuple[RunCommand, ...]:
        """Nothing to release if it was fenced before: it stays so."""
        match effect:
            case FenceOutside(within_s=within_s):
                argv: Argv | None = self.fence
            case ReleaseOutside(within_s=within_s, seen=seen):
                argv = None if seen.fenced else self.release
        return () if argv is None else (RunCommand(argv=argv, within_s=program_s(self.within_s, within_s)),)

    def _must_be_releasable(self, seen: AgentFacts) -> None:
        must_be_known(seen)
        if not seen.fenced and self.release is None:
            raise StatementFailed(
                f"{self.name} can't release {self.cluster}: the topology has no `release` for it", hint="by hand, or add `release`"
            )

    def _facts(self, *, fenced: bool | None, detail: str, shown: str = "") -> AgentFacts:
        return AgentFacts(
            agent=self.name, cluster=self.cluster, fenced=fenced, whole=self.whole, detail=detail, raw={"shown": shown} if shown else {}
        )


def _make(parts: FencingParts) -> FenceAgent:
    def words(key: str) -> Argv | None:
        argv = cast("Argv | None", parts.settings.get(key))
        return None if argv is None else tuple(word.replace("{cluster}", parts.cluster.name) for word in argv)

    return CommandAgent(
        name=parts.name,
        cluster=parts.cluster.name,
        outside=parts.outside,
        fence=words("fence") or (),
        show=words("show") or (),
        fenced=(parts.text("fenced") or "").strip(),
        release=words("release"),
        whole=parts.settings.get("whole") is not False,
        within_s=parts.within_s(),
    )


COMMAND = FencingType(name="command", summary="A team's own programs, on this machine.", make=_make)
