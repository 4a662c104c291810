"""The plan for the day on which the writes must move, made from the topology, the live pair, and how long it took before."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from interlock.audit.by_hand import BOTH_STATES, WAIT_S, Hand, all_read, hand_of, host_of, route_lines
from interlock.dataclass import dataclass
from interlock.errors import DriverError
from interlock.fencing.command import CommandAgent
from interlock.fencing.routing import RouteAgent
from interlock.model.effects import Fence, FenceOutside, Open, SetEventScheduler, StartReceiver, StopReceiver
from interlock.model.facts import channel_from
from interlock.model.runbook import Order, Part, Runbook, Table
from interlock.model.topology import ClusterName, Topology
from interlock.ports import FenceAgent, Route
from interlock.servers.server import SqlServer

_WITHIN_S, _OUTSIDE_S = 5.0, 30.0
_OPENED = 5
"""The step of the bare switchover that opens the other side."""


class Place(Protocol):
    """The part of the world that is needed."""

    @property
    def topology(self) -> Topology: ...
    def sql_server(self, name: str, /) -> SqlServer: ...
    def route(self, name: str, /) -> Route: ...
    def fence_agents(self, cluster: str, /) -> tuple[FenceAgent, ...]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """`outages_ms` of earlier runs by the names of their playbooks, newest first; `drilled_at` the last that succeeded."""

    outages_ms: Mapping[str, Sequence[float]]
    drilled_at: datetime | None


def runbook(world: Place, to: ClusterName, from_: ClusterName, past: Past, *, at: datetime, store: str | None = None) -> Runbook:
    """`store` is its URL, if it is not the user's own. DriverError if a master does not answer: a plan is made on a quiet day."""
    topology = world.topology
    parts = [
        _who_and_where(world, to, from_),
        _before(topology, past, store),
        _with_interlock(to, from_, past),
        *_without(world, to, from_),
    ]
    return Runbook(title=f"Failover plan of {topology.name}: from {from_} to {to}", made_at=at, parts=tuple(parts))


def _who_and_where(world: Place, to: ClusterName, from_: ClusterName) -> Part:
    topology = world.topology
    rows = []
    for name in (from_, to):
        cluster = topology.clusters[name]
        facts = world.sql_server(cluster.master.name).facts()
        role = "takes the writes now" if name == from_ else "is to take them"
        rows.append((str(name), role, host_of(cluster.master), f"{facts.flavor} {facts.version}", _fencing(world, name)))
    routes = [f"Route {spec.name} ({spec.kind}): {_clients(spec.clients)}." for spec in topology.routes.values()]
    return Part(
        title="Who and where",
        says=(f"Topology file: {topology.path} (SHA-256 {topology.digest[:12]}…).", *routes),
        table=Table(titles=("cluster", "role", "master", "runs", "closed from outside by"), rows=tuple(rows)),
    )


def _fencing(world: Place, cluster: ClusterName) -> str:
    return ", ".join(agent.name for agent in world.fence_agents(cluster)) or "nothing: a person answers for it"


def _clients(place: tuple[str, int] | None) -> str:
    return f"clients connect to {place[0]}:{place[1]}" if place is not None else "where clients connect is not in the topology"


def _before(topology: Topology, past: Past, store: str | None) -> Part:
    lines = [f"export INTERLOCK_TOPOLOGY={shlex.quote(topology.path)}"]
    if store is not None:
        lines.append(f"export INTERLOCK_STORE={shlex.quote(store)}")
    when = (
        f"The last switchover of this pair that succeeded was on {past.drilled_at:%Y-%m-%d}."
        if past.drilled_at is not None
        else "A switchover was never made on this pair: make one in its quietest hour (`interlock window`), before it must be."
    )
    own = "On the machine where Interlock runs, as who runs it: runs that are under way stand in its store."
    return Part(title="With Interlock: before", says=(when,), orders=(Order(does=own, lines=tuple(lines)),))


def _with_interlock(to: ClusterName, from_: ClusterName, past: Past) -> Part:
    orders = (
        Order(does="See how things stand. Changes nothing.", lines=("interlock status",), expect="who takes the writes, and what is wrong"),
        Order(does=f"{from_} answers: see what a switchover would do.", lines=(f"interlock plan switchover --to {to}",), expect="no ✗"),
        Order(
            does=f"{from_} answers: move the writes.",
            lines=(f"interlock switchover --to {to}",),
            expect=f"`succeeded`; or `rolled_back`, and {from_} takes the writes as before. {_took(past, 'switchover')}",
        ),
        Order(
            does=f"{from_} does not answer: see who says what of it, and what a failover would do.",
            lines=(f"interlock plan failover --to {to}",),
            expect="no ✗; or what can't be proved, with the sentence that `--accept` takes",
        ),
        Order(
            does=f"{from_} is dead: take the writes over.",
            lines=(f"interlock failover --to {to}",),
            expect=f"`succeeded`; refused unless {from_} is proved dead and closed. {_took(past, 'failover', ' from the command on')}",
        ),
        Order(does="What was lost in a failover.", lines=("interlock runs", "interlock losses RUN"), expect="`known`, and each row"),
        Order(
            does=f"{from_} was started again, fenced (read_only=1 in its option file): bring it back as the standby.",
            lines=(f"interlock rejoin {from_}",),
            expect="both channels run, the data are equal",
        ),
        Order(
            does="A run was killed, or halted: go on with it, or take it back.",
            lines=("interlock runs", "interlock resume RUN", "interlock rollback RUN"),
            expect="a named outcome of either; a run that was on its way back goes on backwards",
        ),
        Order(
            does=f"Keep {from_} quiet to mend it.",
            lines=(
                f'interlock quiesce --onto {to} --for 4h --reason "…"',
                "interlock diff",
                "interlock repair            # the plan; with --apply it is done",
                f"interlock rejoin {from_}",
            ),
        ),
    )
    return Part(title="With Interlock", orders=orders)


def _took(past: Past, playbook: str, since: str = "") -> str:
    outages = sorted(past.outages_ms.get(playbook, ()))
    if not outages:
        return "How long clients wait is not known: it was never measured here."
    middle, most = outages[len(outages) // 2], outages[-1]
    return f"Clients waited{since} {middle:.0f} ms in the middle of the last {len(outages)}, {most:.0f} ms at the most."


def _without(world: Place, to: ClusterName, from_: ClusterName) -> Iterator[Part]:
    try:
        old, new = (hand_of(world.sql_server(world.topology.clusters[name].master.name)) for name in (from_, to))
    except DriverError as error:
        yield Part(title="Without Interlock", says=(f"{error.message}. Follow the server's own manual.",))
        return
    prepare = ("Nothing checks what you do here. Take one step after the other, and go on only once you see what is to be seen.",)
    yield Part(title="Without Interlock: before", says=prepare, orders=tuple(_passwords(old, new)))
    back = _OPENED + len(world.topology.routes) + 1
    yield Part(
        title=f"Without Interlock: {from_} answers",
        says=(f"From step 2 until step {back - 1} nobody can write. To go back before step {_OPENED}: step {back}, and nothing else.",),
        orders=tuple(_switchover(world, old, new, to, from_, back=back)),
    )
    yield Part(
        title=f"Without Interlock: {from_} is dead",
        says=("Two servers that both take writes are worse than none: do not leave out step 1.",),
        orders=tuple(_failover(world, new, to, from_)),
    )


def _passwords(*hands: Hand) -> Iterator[Order]:
    """One for all, where it is the same."""
    if len({hand.password() for hand in hands}) == 1:
        yield Order(does="For the clients below.", lines=(hands[0].password(),))
    else:
        for hand in hands:
            yield Order(does=f"Before a client of {hand.server.name}.", lines=(hand.password(),))


def _switchover(world: Place, old: Hand, new: Hand, to: ClusterName, from_: ClusterName, *, back: int) -> Iterator[Order]:
    """Whose step 5 opens the new side; `back` is the number of the last step, the way back."""
    events = old.server.write_facts().event_scheduler == "ON"
    yield Order(
        does="Both answer, one takes writes, and both channels run.",
        lines=(old.sql(BOTH_STATES), new.sql(BOTH_STATES), old.channels(), new.channels()),
        expect=f"read_only 0 on {from_}, 1 on {to}; both threads of each channel say Yes, without an error",
    )
    yield Order(
        does=f"Close {from_}{', its events first: their definers may pass read_only' if events else ''}.",
        lines=(*_events(old, to_run=False, needed=events), old.sql(*_script(old, Fence(server=old.server.name, within_s=_WITHIN_S)))),
        expect="read_only 1",
    )
    yield Order(does="Its last position, kept in the shell.", lines=(f"POSITION=$({old.value(old.words.position)}); echo $POSITION",))
    yield Order(
        does=f"{to} must hold it.",
        lines=(new.value(new.words.reached.format(position="$POSITION")),),
        expect=f"0 within {WAIT_S} s. Anything else: step {back}",
    )
    yield Order(
        does=f"Open {to}.",
        lines=(new.sql(*_script(new, Open(server=new.server.name))), *_events(new, to_run=True, needed=events)),
        expect="read_only 0",
    )
    yield from _routes(world, to)
    yield Order(
        does=f"Only if {to} was not opened: open {from_} again.",
        lines=(old.sql(*_script(old, Open(server=old.server.name))), *_events(old, to_run=True, needed=events)),
        expect="read_only 0",
    )


def _events(hand: Hand, *, to_run: bool, needed: bool) -> tuple[str, ...]:
    """Their scheduler, where the writer's runs."""
    return (hand.sql(*_script(hand, SetEventScheduler(server=hand.server.name, on=to_run))),) if needed else ()


def _failover(world: Place, new: Hand, to: ClusterName, from_: ClusterName) -> Iterator[Order]:
    ways = [_from_outside(agent, from_) for agent in world.fence_agents(from_)]
    yield from ways or [Order(does=f"See that {from_} is off, and that nothing starts it: its power, its service, its address.")]
    channel = channel_from(world.topology.clusters[from_].master.name, new.server.channels())
    if channel is not None:
        stop = StopReceiver(server=new.server.name, channel=channel.name)
        applied = f"until {new.channels()} | grep -q '{all_read()}'; do sleep 1; done"
        yield Order(does="It applies all that it received.", lines=(applied,), expect="it ends; if it does not, see the channel's error")
        yield Order(does=f"{to} receives nothing more.", lines=(new.sql(*_script(new, stop)),))
    yield Order(does=f"Open {to}.", lines=(new.sql(*_script(new, Open(server=new.server.name))),), expect="read_only 0")
    yield from _routes(world, to)
    if channel is not None:
        start = StartReceiver(server=new.server.name, channel=channel.name)
        lines = (new.sql(*_script(new, start)),)
        yield Order(does=f"Only once {from_} is back, fenced, and holds nothing that {to} lacks.", lines=lines)


def _from_outside(agent: FenceAgent, cluster: ClusterName) -> Order:
    """As lines of a shell, but where a proxy or an address is told: what that takes, depends on how it stands then."""
    lines = agent.script(FenceOutside(cluster=cluster, agent=agent.name, within_s=_OUTSIDE_S))
    does = f"Close {cluster} from outside ({agent.name}), and see it closed."
    match agent:
        case RouteAgent():
            return Order(does=f"{does} By its own means: {'; '.join(lines)}.")
        case CommandAgent(show=show, fenced=fenced):
            return Order(does=does, lines=(*lines, shlex.join(show)), expect=fenced)
        case _:
            return Order(does=does, lines=lines, expect="no line ends with an error")


def _routes(world: Place, to: ClusterName) -> Iterator[Order]:
    for name, spec in world.topology.routes.items():
        lines = route_lines(spec, world.route(name), to)
        if lines:
            yield Order(does=f"Lead route {name} to {to}.", lines=tuple(lines))
        else:
            yield Order(does=f"Lead route {name} ({spec.kind}) to {to}, by its own means.")


def _script(hand: Hand, effect: Fence | Open | SetEventScheduler | StopReceiver | StartReceiver) -> Sequence[str]:
    return hand.server.script(effect)
