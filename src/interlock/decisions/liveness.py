"""Is a cluster's master dead? A table: the first rule that holds is the verdict. Only `dead` lets a failover go on.

Three ideas. A single place that can't reach a server tells of the way between as much as of the server: so two witnesses that don't share
that way must agree. Whoever had a word from it, or sees its process, while it was looked at contradicts, and one is enough. And what was
true a moment ago (a receiver's open connection, a proxy's last good check) neither agrees nor contradicts: it may just not have noticed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import combinations

from interlock.dataclass import dataclass
from interlock.model.liveness import Liveness, LivenessFacts, SeenFrom, VantageKind, View
from interlock.model.topology import ClusterName

AGREES: frozenset[View] = frozenset({View.CLOSED, View.SILENT, View.CUT, View.STOPPED, View.OFF})
"""But a host that says nothing by SSH: it is asked from here, so it tells no more than `here` does."""

_CERTAIN = frozenset({View.CLOSED, View.STOPPED, View.OFF})
"""The host itself says so, or who gives it power; the others only miss an answer, which a cut link explains as well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """`because` says why it is not known, for `unknown` only. `{other}` in a hint is the cluster that the writes could go to."""

    state: Liveness
    holds: Callable[[Sequence[SeenFrom]], bool]
    hint: str = ""
    because: str = ""


def _views(seen: Sequence[SeenFrom]) -> set[View]:
    return {each.view for each in seen}


def _any(*views: View) -> Callable[[Sequence[SeenFrom]], bool]:
    return lambda seen: not _views(seen).isdisjoint(views)


def _contradict_themselves(seen: Sequence[SeenFrom]) -> bool:
    return _any(View.HANGS, View.CONNECTED, View.RUNS)(seen) and _any(View.STOPPED, View.OFF)(seen)


def _cut_off(seen: Sequence[SeenFrom]) -> bool:
    return _any(View.CONNECTED)(seen) and _any(View.CLOSED, View.SILENT)(seen)


def _too_few(seen: Sequence[SeenFrom]) -> bool:
    return not any(are_independent(one, other) for one, other in combinations(witnesses(seen), 2))


def _proxy_may_reach_it(seen: Sequence[SeenFrom]) -> bool:
    """A proxy's next check comes in seconds; a process that has ended is not to be waited out for it."""
    lags = any(each.kind is VantageKind.PROXY and each.view is View.STALE for each in seen)
    return lags and _CERTAIN.isdisjoint(_views(seen))


_SWITCH = "`interlock switchover --to {other}` moves the writes with nothing lost"

RULES: tuple[Rule, ...] = (
    Rule(state=Liveness.ALIVE, holds=_any(View.ANSWERS), hint=_SWITCH),
    Rule(
        state=Liveness.REFUSING,
        holds=_any(View.REFUSES),
        hint=f"let Interlock in (its words say why it does not: connections, password, blocked host, TLS); then {_SWITCH}",
    ),
    Rule(
        state=Liveness.UNKNOWN,
        holds=_contradict_themselves,
        because="what is seen contradicts itself",
        hint="look at its host: does `ssh` or the fencing command ask another machine, or does something else listen at its address?",
    ),
    Rule(
        state=Liveness.HUNG,
        holds=_any(View.HANGS),
        hint="see on its host what holds it up (a full disk, a stopped process); if it won't go on, end its process there, and try again",
    ),
    Rule(
        state=Liveness.CUT_OFF,
        holds=_cut_off,
        hint=f"mend the way from here to it, or run Interlock where it can be reached; then {_SWITCH}",
    ),
    Rule(
        state=Liveness.ALIVE,
        holds=_any(View.CONNECTED),
        hint=f"mend why it can't be looked at from here; then {_SWITCH}",
    ),
    Rule(
        state=Liveness.UNKNOWN,
        holds=_any(View.RUNS),
        because="its process runs: it is starting, or in crash recovery, or a firewall stands before it",
        hint="see its error log; if it won't come up, stop its service, and try again",
    ),
    Rule(
        state=Liveness.UNKNOWN,
        holds=_too_few,
        because="it takes two that look from different places to agree",
        hint="look at its host by another way; a place more to look from is `ssh` of its cluster, or a fencing command with `show`",
    ),
    Rule(
        state=Liveness.UNKNOWN,
        holds=_proxy_may_reach_it,
        because="a proxy's last check of it went well",
        hint="wait for the proxy's next check, and try again; if the proxy checks nothing, see that the host is off",
    ),
    Rule(state=Liveness.DEAD, holds=lambda _: True),
)


def liveness(cluster: ClusterName, seen: Sequence[SeenFrom]) -> LivenessFacts:
    """The verdict, and a sentence that says which place says what."""
    rule = _rule(seen)
    return LivenessFacts(cluster=cluster, state=rule.state, why=_sentence(cluster, rule, seen), seen=tuple(seen))


def remedy(facts: LivenessFacts, other: str) -> str:
    """What a person can do where it is not dead. `other` is the cluster that the writes could go to."""
    return _rule(facts.seen).hint.format(other=other)


def answers_here(facts: LivenessFacts) -> bool:
    """Whether it let us in and answered."""
    return any(each.kind is VantageKind.HERE and each.view is View.ANSWERS for each in facts.seen)


def may_settle(facts: LivenessFacts) -> bool:
    """Whether a look a moment later may say that it is dead after all: somebody has not noticed yet, or still reads what came before."""
    views = _views(facts.seen)
    if not views.isdisjoint({View.RUNS, View.HANGS}):
        return False
    # Of a server that was ended under load a receiver still empties its socket: it looks cut off from here, for a moment.
    return facts.state is Liveness.CUT_OFF or (facts.state is Liveness.UNKNOWN and View.STALE in views)


def witnesses(seen: Sequence[SeenFrom]) -> tuple[SeenFrom, ...]:
    """Those that would testify that it is dead. Who gave up may have done so long ago: that counts only beside a host that says it now."""
    agreeing = AGREES if View.CLOSED not in _views(seen) else AGREES | {View.GAVE_UP}
    return tuple(each for each in seen if each.view in agreeing and (each.kind, each.view) != (VantageKind.HOST, View.SILENT))


def are_independent(one: SeenFrom, other: SeenFrom) -> bool:
    """Whether two witnesses don't share the way to the server. The host and its power know by themselves; all others look over a network,
    and two of them on one machine over the same.
    """
    if {one.kind, other.kind} & {VantageKind.HOST, VantageKind.POWER}:
        return one.kind is not other.kind
    return one.at != other.at


def without_tries(error: str) -> str:
    """Of a receiver that tries and tries: behind how often it did, the words of the last time."""
    return re.split("message: ", error, flags=re.IGNORECASE)[-1]


def _rule(seen: Sequence[SeenFrom]) -> Rule:
    return next(rule for rule in RULES if rule.holds(seen))


_HEADLINES = {
    Liveness.DEAD: "{cluster} is dead",
    Liveness.HUNG: "{cluster} hangs: it takes connections and does not answer",
    Liveness.CUT_OFF: "{cluster} can't be reached from here, and lives",
    Liveness.REFUSING: "{cluster} is alive, and lets nobody in",
    Liveness.ALIVE: "{cluster} is alive",
    Liveness.UNKNOWN: "whether {cluster} is dead is not known, for {because}",
}

_PHRASES = {
    (VantageKind.HERE, View.ANSWERS): "it answers {vantage}",
    (VantageKind.HERE, View.REFUSES): "it refuses a login {vantage}",
    (VantageKind.HERE, View.HANGS): "it says nothing {vantage}",
    (VantageKind.HERE, View.CLOSED): "refused {vantage}",
    (VantageKind.HERE, View.SILENT): "silent {vantage}",
    (VantageKind.PEER, View.CONNECTED): "{vantage} gets data from it",
    (VantageKind.PEER, View.CUT): "{vantage} can't connect",
    (VantageKind.PEER, View.GAVE_UP): "{vantage} could not connect and gave up",
    (VantageKind.PROXY, View.CUT): "{vantage} can't reach it",
    (VantageKind.HOST, View.RUNS): "it runs on {vantage}",
    (VantageKind.HOST, View.STOPPED): "it does not run on {vantage}",
    (VantageKind.HOST, View.SILENT): "{vantage} does not answer",
    (VantageKind.POWER, View.OFF): "off, says {vantage}",
}


def _sentence(cluster: ClusterName, rule: Rule, seen: Sequence[SeenFrom]) -> str:
    headline = _HEADLINES[rule.state].format(cluster=cluster, because=rule.because)
    told = [_phrase(each) for each in seen if rule.state is Liveness.UNKNOWN or each.view not in {View.UNKNOWN, View.STALE}]
    return f"{headline}: {', '.join(told) or 'nobody looks at it'}"


def _phrase(each: SeenFrom) -> str:
    said = _PHRASES.get((each.kind, each.view), "{vantage} can't tell").format(vantage=each.vantage)
    return f"{said} ({each.detail})" if each.detail else said
