"""A simulated pair, a store that outlives every process, and the engine on them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from interlock.actions.catalogue import catalogue
from interlock.decisions.leases import Liveness
from interlock.engine.events import RunEvent
from interlock.engine.execution import Stop
from interlock.engine.report import RunReport
from interlock.engine.runs import Engine
from interlock.model.effects import Effect, Fence, Open
from interlock.playbook.load import load_playbook, parse_playbook
from interlock.playbook.tree import Playbook
from interlock.ports import Holder, Store
from interlock.simulated.pair import SimulatedPair, simulated_pair
from interlock.simulated.process import SimulatedProcess
from interlock.simulated.store import MemoryStore
from interlock.simulated.store_faults import ProcessStore
from interlock.simulated.world import SimulatedWorld

SHIPPED = Path(__file__).parents[3] / "playbooks"
CATALOGUE = catalogue()
SWITCHOVER = load_playbook(SHIPPED / "switchover.yaml", CATALOGUE)

SHORT = """\
playbook: short
version: 1
summary: The bones of a switchover, with a place for a step before, between and after.
inputs:
  to: {type: cluster, not: writer, default: standby}
  from: {type: cluster, default: writer}
phases:
- phase: preflight
  steps:
  - check: pair.one_writer
    with: {server: "${from}"}
@BEFORE
@FIRST
- phase: fence
  steps:
  - id: hold
    do: route.hold
    with: {route: all}
  - id: fenced
    do: server.fence
    with: {server: "${from}", within: 2s}
- phase: catch_up
  steps:
@BETWEEN
  - do: replication.wait
    with: {server: "${to}", position: "${fenced.position}", within: 5s}
- phase: flip
  steps:
  - id: open
    do: server.open
    with: {server: "${to}"}
  - id: flip
    do: route.flip
    with: {route: all, to: "${to}"}
- phase: verify
  steps:
  - check: route.canary
    with: {route: all, expect: "${to}"}
@AFTER
@END
"""


def short(*, before: str = "", first: str = "", between: str = "", after: str = "", end: str = "") -> Playbook:
    """A small switchover with further steps: among the checks, as first effects, between fence and opening, after the flip."""
    text = SHORT.replace("@FIRST\n", "- phase: prepare\n  steps:\n@FIRST\n" if first else "")
    for place, steps in (("BEFORE", before), ("FIRST", first), ("BETWEEN", between), ("AFTER", after)):
        text = text.replace(f"@{place}\n", "".join(f"  {line}\n" for line in steps.splitlines()))
    return parse_playbook(text.replace("@END\n", end), file="short.yaml", catalogue=CATALOGUE)


def all_of(*calls: Callable[[], object]) -> None:
    for call in calls:
        call()


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """All that a run may change, and must put back when it goes back."""

    writers: tuple[str, ...]
    leads_to: tuple[str, ...]
    holding: bool
    weights: Mapping[str, str]
    schedulers: tuple[str, ...]
    settings: tuple[Mapping[str, str], ...]


@dataclass(slots=True, kw_only=True)
class Stage:
    """`when` pairs a test of an event with what is to happen then, once."""

    pair: SimulatedPair = field(default_factory=simulated_pair)
    store: MemoryStore = field(init=False)
    stop: Stop = field(default_factory=Stop)
    answers: list[bool] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    events: list[RunEvent] = field(default_factory=list)
    processes: dict[str, SimulatedProcess] = field(default_factory=dict)
    worlds: list[SimulatedWorld] = field(default_factory=list)
    _awaited: list[tuple[Callable[[RunEvent], bool], Callable[[], object]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.store = MemoryStore(self.pair.clock, self._look)
        self.pair.clock.sleep(0.2)

    def engine(
        self, name: str = "first", *, kill_at: int | None = None, store: Callable[[Store, SimulatedProcess], Store] | None = None
    ) -> Engine:
        process = self.processes[name] = SimulatedProcess(name, kill_at)
        used = (store or ProcessStore)(self.store, process)
        world = SimulatedWorld(self.pair, process, used)
        self.worlds.append(world)
        return Engine(
            world=world,
            store=used,
            catalogue=CATALOGUE,
            clock=self.pair.clock,
            observe=self._observe,
            ask=self._ask,
            stop=self.stop,
            holder=lambda run: Holder(user="ops", host="here", pid=1, process_started=name, run=run),
            redact=lambda text: text,
        )

    def run(self, playbook: Playbook = SWITCHOVER, given: Mapping[str, str] | None = None) -> RunReport:
        return self.engine().start(playbook, given or {})

    def when(self, holds: Callable[[RunEvent], bool], do: Callable[[], object]) -> None:
        self._awaited.append((holds, do))

    def shape(self) -> Shape:
        pair = self.pair
        return Shape(
            writers=pair.writers(),
            leads_to=pair.proxy.leads_to,
            holding=pair.proxy.holding,
            weights={str(cluster): weight for cluster, weight in pair.proxy.weights.items()},
            schedulers=(pair.east.scheduler, pair.west.scheduler),
            settings=(dict(pair.east.settings), dict(pair.west.settings)),
        )

    def only_run(self) -> str:
        (header,) = self.store.runs(None)
        return header.run

    def effects(self) -> list[Effect]:
        return [sent.effect for sent in self.pair.sent]

    def sent(self, kind: type[Effect], server: str) -> int:
        return sum(isinstance(effect, kind) and isinstance(effect, Fence | Open) and effect.server == server for effect in self.effects())

    def settle(self) -> None:
        """Let everything that is still under way end."""
        self.pair.clock.sleep(0.3)

    def _observe(self, event: RunEvent) -> None:
        self.events.append(event)
        for awaited in list(self._awaited):
            if awaited in self._awaited and awaited[0](event):
                self._awaited.remove(awaited)
                awaited[1]()

    def _ask(self, question: str) -> bool:
        self.asked.append(question)
        return self.answers.pop(0) if self.answers else False

    def _look(self, holder: Holder) -> Liveness:
        return Liveness.GONE if self.processes[holder.process_started].is_dead else Liveness.ALIVE


def assert_safe(stage: Stage, *, writer: str) -> None:
    """One writer, which clients reach, nothing acknowledged lost, and no promise broken at any instant."""
    stage.settle()
    assert stage.pair.violations == []
    assert stage.pair.writers() == (writer,)
    assert stage.pair.missing(writer) == set()
    assert stage.pair.proxy.leads_to == (writer,)
    assert not stage.pair.proxy.holding
    before = len(stage.pair.ledger.acknowledged)
    stage.settle()
    assert len(stage.pair.ledger.acknowledged) > before, "clients do not write any more"
