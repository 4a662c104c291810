"""Question 5: what do both sides share?"""

from __future__ import annotations

from collections.abc import Iterator

from interlock.audit.facts import PairSeen
from interlock.audit.rule import Chapter, Fault, Rule, command, here_only
from interlock.model.audit import AuditVerdict

_UNFIT, _ATTENTION = AuditVerdict.UNFIT, AuditVerdict.NEEDS_ATTENTION
_SHOWN = 5


def alternations(first: frozenset[int], second: frozenset[int]) -> int:
    """How often the writes went from one server to the other, minute by minute. A minute in which both wrote counts once."""
    turns, last = 0, ""
    for minute in sorted(first | second):
        now = "both" if minute in first and minute in second else "first" if minute in first else "second"
        turns += bool(last) and now != last
        last = now
    return turns


def _written_by_both(pair: PairSeen) -> Iterator[Fault]:
    """More turns than runs could have made: after a planned switchover both sides' logs hold writes, too, but not by turns."""
    first, second = pair.masters
    runs = sum(1 for run in pair.runs if run.state not in {"checking", "refused"})
    for table in sorted(first.log.writes.keys() & second.log.writes.keys()):
        turns = alternations(first.log.writes[table].minutes, second.log.writes[table].minutes)
        if turns > 2 * runs + 1:
            yield Fault(
                says=f"{table} was written from both sides by turns, {turns} times",
                object=table,
                seen={one.name: f"{one.log.writes[table].events} row events" for one in pair.masters},
            )


def _accounts(pair: PairSeen) -> Iterator[Fault]:
    """Those on one side only, and those that may do more on one side. Each server's own (localhost) are its own business."""
    writer, standby = pair.writer, pair.standby
    if writer.facts.flavor != standby.facts.flavor or not pair.saw("accounts", "privileges"):
        return
    ours = {one.name: one for one in writer.accounts if one.host != "localhost"}
    theirs = {one.name: one for one in standby.accounts if one.host != "localhost"}
    for name in sorted(ours.keys() ^ theirs.keys()):
        has, lacks = (writer, standby) if name in ours else (standby, writer)
        is_missing = has is writer
        yield Fault(
            says=f"the account {name} is on {has.name} and not on {lacks.name}",
            object=name,
            seen={has.name: "there", lacks.name: "not there"},
            fix=command(f"SHOW CREATE USER {name}; SHOW GRANTS FOR {name};   -- on {has.name}, then both on {lacks.name}")
            if is_missing or not pair.is_told_by_the_writer
            else here_only(standby, f"DROP USER {name}"),
        )
    of_segments = {account for one in pair.topology.segments.values() for account in one.accounts}
    for name in sorted(ours.keys() & theirs.keys()):
        if f"{ours[name].user}@{ours[name].host}" in of_segments:
            continue  # closed where its segment is not
        if ours[name].digest != theirs[name].digest:
            wanted, there = (one.definitions.get(("account", name), "") for one in (writer, standby))
            yield Fault(
                says=f"the account {name} may do other things on {standby.name} than on {writer.name}",
                object=name,
                seen={writer.name: _only(wanted, there), standby.name: _only(there, wanted)},
                fix=here_only(standby, *_regranted(wanted, there))
                if wanted and there and pair.is_told_by_the_writer
                else command(f"SHOW GRANTS FOR {name};   -- on both, then GRANT or REVOKE what differs"),
            )


def _only(mine: str, others: str) -> str:
    return "; ".join(line for line in mine.splitlines() if line not in others.splitlines()) or "nothing more"


def _regranted(wanted: str, there: str) -> list[str]:
    """By the lines of SHOW GRANTS; what is too much goes first, for it may be a part of what is granted."""
    ours, theirs = (dict.fromkeys(said.splitlines()) for said in (wanted, there))
    taken = [
        f"REVOKE {line.removeprefix('GRANT ').removesuffix(' WITH GRANT OPTION').replace(' TO ', ' FROM ')}"
        for line in theirs
        if line not in ours and not line.startswith("GRANT USAGE ")
    ]
    return [*taken, *(line for line in ours if line not in theirs)]


def _tells_shared(pair: PairSeen) -> Iterator[str]:
    both = pair.masters[0].log.writes.keys() & pair.masters[1].log.writes.keys()
    yield f"tables that both logs hold writes of: {', '.join(sorted(both)[:_SHOWN]) or 'none'}"
    yield f"accounts: {len(pair.writer.accounts)} on {pair.writer.name}, {len(pair.standby.accounts)} on {pair.standby.name}"


SHARED = Chapter(
    question=5,
    title="Shared metadata",
    tells=_tells_shared,
    rules=(
        Rule(
            id="shared.written_by_one",
            question=5,
            title="No table is written from both sides",
            verdict=_UNFIT,
            why="updates of one row from both sides end otherwise on each: the sides drift apart without an error",
            source='MySQL manual, "Replication FAQ", on two-way replication',
            look=_written_by_both,
        ),
        Rule(
            id="shared.accounts",
            question=5,
            title="The same accounts and privileges on both",
            verdict=_ATTENTION,
            why="clients are refused, or may do more, after a switchover",
            source='MySQL manual, "Replication and System Functions"',
            look=_accounts,
        ),
    ),
)
