"""Who may write a segment now, and is it fit to be moved? Promise 1 for each segment of an active/active pair (`engine/INVARIANTS.md`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from interlock.dataclass import dataclass
from interlock.decisions.giving_up import is_given_up
from interlock.decisions.replication import two_kinds
from interlock.model.facts import ChannelFacts, RouteFacts, WriteFacts
from interlock.model.segments import AccountState, SegmentFacts, SegmentSurroundings
from interlock.model.topology import ClusterName, SegmentSpec, ServerName
from interlock.model.verdict import Applied, Done, Refuse, Verdict, Wait

HOW_IT_OPENS = "`interlock runs` tells of a run to resume; if there is none: docs/segments.md, Closed on both sides"


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherSide:
    """Another master and what was last proved of the segment there: None if it is not proved closed, for the reason `why`. `written`:
    clients may have written it there since it was closed here.
    """

    name: ServerName
    closed: SegmentFacts | None
    why: str = ""
    written: bool = True


def may_open_segment(
    cluster: ClusterName,
    spec: SegmentSpec,
    here: SegmentFacts,
    others: Sequence[OtherSide],
    channels: Sequence[ChannelFacts] = (),
    *,
    given_up: str = "",
) -> Verdict:
    """Done: it may be opened on the server of `here`, the cluster's master. Wait: that does not hold everything yet. Refuse: it must not.
    A Done that rests on what was given up warns of it.

    The caller holds the lease. The numbering is that of `decisions/writes.py`: (b) closed everywhere else, (c) all of it is here, or a
    person has `given_up` what a broken one of the server's `channels` keeps back; and (d) this cluster is its owner, in the newest epoch
    that anybody knows of.
    """
    subject = f"segment {spec.name} is not opened on {here.server}"
    for other in others:
        if other.closed is None:
            return Refuse(f"{subject}: it is not proved closed on {other.name} ({other.why})", f"close it on {other.name}, then resume")
        if other.closed.epoch > here.epoch:
            return Refuse(
                f"{subject}: it is in epoch {here.epoch} there, and {other.name} knows of epoch {other.closed.epoch}",
                "hand it over on both servers first: segment.hand_over",
            )
    owner = owner_of(spec, (here,))
    if owner != cluster:
        return Refuse(f"{subject}: {owner} owns it, by {here.server}'s own table", "hand it over first: segment.hand_over")
    rests_on: tuple[str, ...] = ()
    for other in others:
        if other.closed is None or not other.written:
            continue
        wanted = other.closed.position
        if not here.position.can_be_compared_with(wanted):
            return two_kinds(here.server, here.position, wanted)
        if here.position.contains(wanted):
            continue
        rests_on = (given_up,)
        if not is_given_up(here.server, other.name, channels, given_up):
            behind = here.position.behind(wanted)
            return Wait(
                f"{here.server} is {behind} transactions behind {other.name} ({here.position} has not reached {wanted})",
                Applied(here.server, wanted),
            )
    if rests_on:
        return Done(f"nobody else can write {spec.name}, and a person answers for it: {given_up}", warnings=rests_on)
    return Done(f"{here.server} holds all that was written of {spec.name}, and nobody else can write it")


def owner_of(spec: SegmentSpec, seen: Sequence[SegmentFacts]) -> ClusterName:
    """By the newest note that a server has; as the topology says while there is none."""
    notes = [each.note for each in seen if each.note is not None]
    return max(notes, key=lambda note: note.epoch).owner if notes else spec.owner


def has_segments(segments: Sequence[str]) -> Refuse | None:
    """Why a pair has no one writer: each side owns some segments. None if there is none."""
    if not segments:
        return None
    return Refuse(f"both masters take writes, each of its own segments: {', '.join(segments)}", "see `interlock segment list`")


def may_open_beside(server: ServerName, seen: Sequence[SegmentFacts]) -> Verdict:
    """Done: every segment is closed on this server, so that nobody can write one there though it takes writes. Refuse: one is not."""
    for facts in seen:
        if facts.open_by:
            return Refuse(
                f"{server} is not opened beside the other one: segment {facts.segment} is open there: {facts.open_by}",
                f"`interlock run adopt-segment` if {server} does not own it; if it does: SET GLOBAL read_only=0 on {server}",
            )
    if not seen:
        return Refuse(f"{server} is not opened beside the other one: this pair has no segments", "server.open is for such a pair")
    return Done(f"no segment can be written on {server}")


def are_all_owned(
    cluster: ClusterName, writes: WriteFacts, specs: Sequence[SegmentSpec], seen: Sequence[Mapping[ClusterName, SegmentFacts]]
) -> Verdict:
    """One cluster owns every segment and takes writes, and each segment is closed on the other one. `seen` has each on every master."""
    for spec, facts in zip(specs, seen, strict=True):
        owner = owner_of(spec, tuple(facts.values()))
        if owner != cluster:
            moves = f"`interlock segment move all --to {cluster}`; `interlock quiesce` does it by itself"
            return Refuse(f"segment {spec.name} is owned by {owner}", moves)
        for elsewhere, each in facts.items():
            if elsewhere != cluster and each.open_by:
                return Refuse(f"segment {spec.name} of {cluster} is open on {each.server}, too: {each.open_by}", _adopt(spec, owner))
    if specs and writes.read_only:
        return Refuse(f"{cluster} owns every segment, and {writes.server} is fenced", f"SET GLOBAL read_only=0 on {writes.server}")
    return Done(f"{cluster} owns every segment" if specs else "this pair has no segments")


def is_closed(spec: SegmentSpec, seen: SegmentFacts) -> Verdict:
    """Closed on this server, by all that can be read of it."""
    if seen.missing:
        return _lacking(spec, seen)
    if seen.open_by:
        return Refuse(f"segment {spec.name} is open on {seen.server}: {seen.open_by}", "see `interlock segment list`")
    how = "its guard is locked" if spec.tenants is not None else "accounts locked, no right to write, no session"
    return Done(f"segment {spec.name} is closed on {seen.server}: {how}")


def can_be_moved_exactly(spec: SegmentSpec, seen: SegmentFacts, around: SegmentSurroundings) -> Refuse | None:
    """Why its rights on this server can't be taken and given back exactly, or who else could write it there; None if all is well."""
    if spec.tenants is None and not (spec.schemas and spec.accounts):
        lacking = "accounts" if spec.schemas else "schemas"
        return Refuse(f"segment {spec.name} has no {lacking}: what it is can't be closed", "name both schemas and accounts, or tenants")
    if seen.missing:
        return _lacking(spec, seen)
    if seen.unclear:
        return Refuse(f"{seen.server}: {'; '.join(seen.unclear)}", "give the accounts of a segment rights on its own schemas alone")
    if around.fires_wrongly:
        return Refuse(f"{seen.server}: {'; '.join(around.fires_wrongly)}", "tenants that share tables need that: docs/segments.md")
    if around.lacks:
        return Refuse(f"{seen.server}: Interlock can't move segment {spec.name}", "; ".join(around.lacks))
    if around.writers:
        return Refuse(
            f"on {seen.server} others can write segment {spec.name}: {', '.join(around.writers)}",
            f"take that right away, or answer for them: `trusted` of segments.{spec.name} in the topology",
        )
    if around.events:
        return Refuse(
            f"on {seen.server} events would go on writing segment {spec.name}: {', '.join(around.events)}",
            "let an account of the segment be their definer, or disable them",
        )
    return None


def is_fit_to_move(
    spec: SegmentSpec,
    to: ClusterName,
    seen: Mapping[ClusterName, SegmentFacts],
    around: Sequence[SegmentSurroundings],
    *,
    routes: Sequence[RouteFacts] = (),
    sharing: Sequence[str] = (),
) -> Verdict:
    """Owned by another cluster than `to`, open there and nowhere else, and nothing is there that a move could not take along.

    `sharing` are other segments whose clients come by the same route.
    """
    owner = owner_of(spec, tuple(seen.values()))
    if owner == to:
        return Refuse(
            f"segment {spec.name} is owned by {to} already", f"`interlock segment list`; {_adopt(spec, owner)} closes it elsewhere"
        )
    epochs = {facts.epoch for facts in seen.values()}
    if len(epochs) > 1:
        return Refuse(f"the servers know of segment {spec.name} in different epochs: {sorted(epochs)}", _adopt(spec, owner))
    for facts, beside in zip(seen.values(), around, strict=True):
        refused = can_be_moved_exactly(spec, facts, beside)
        if refused is not None:
            return refused
        if facts.unguarded:
            return Refuse(f"on {facts.server} no trigger guards {', '.join(facts.unguarded)} for {spec.name}", _adopt(spec, owner))
    if seen[owner].is_closed:
        return Refuse(f"segment {spec.name} is closed on {seen[owner].server}, which owns it", HOW_IT_OPENS)
    if seen[to].open_by:
        return Refuse(f"segment {spec.name} is open on {seen[to].server}, too: {seen[to].open_by}", _adopt(spec, owner))
    if sharing:
        return Refuse(
            f"route {spec.route} of segment {spec.name} is also that of {', '.join(sharing)}", "give each segment a route of its own"
        )
    for route in routes:
        if route.provable and route.leads_to != (owner,):
            where = " and ".join(route.leads_to) or "nowhere"
            return Refuse(f"route {route.route} of segment {spec.name} leads to {where}, and {owner} owns it", "see `interlock status`")
    warnings = () if spec.route is not None else (f"segment {spec.name} has no route: its clients are moved by other means",)
    return Done(f"segment {spec.name} is owned by {owner}, in epoch {max(epochs)}, and closed on {to}", warnings)


def as_open_as(spec: SegmentSpec, seen: SegmentFacts, wanted: Sequence[AccountState]) -> Verdict:
    """Whether it is open on this server exactly as `wanted`: who can log in, with which rights."""
    if seen.missing:
        return _lacking(spec, seen)
    differing = [each.account for each in wanted if each not in seen.accounts]
    if differing:
        return Refuse(f"segment {spec.name} is not open on {seen.server} as it was before: {', '.join(differing)}", "compare SHOW GRANTS")
    return Done(f"segment {spec.name} is open on {seen.server}: {', '.join(each.account for each in wanted)} as before")


def _lacking(spec: SegmentSpec, seen: SegmentFacts) -> Refuse:
    return Refuse(f"{seen.server} has no {', '.join(seen.missing)} of segment {spec.name}", "make it there, with the same name")


def _adopt(spec: SegmentSpec, owner: ClusterName) -> str:
    return f"`interlock run adopt-segment -i segment={spec.name} -i owner={owner}`"
