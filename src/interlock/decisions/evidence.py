"""Proof, without any clock, that two servers never took writes at the same time: by what stands in their binary logs."""

from __future__ import annotations

from collections.abc import Sequence

from interlock.model.facts import LoggedTransaction
from interlock.model.position import FilePosition, MySQLPosition, Position, parse_position
from interlock.model.topology import ServerName
from interlock.model.verdict import Done, Refuse, Verdict


def wrote_one_after_the_other(
    *,
    old: ServerName,
    old_id: int,
    old_log: Sequence[LoggedTransaction],
    new: ServerName,
    new_id: int,
    new_log: Sequence[LoggedTransaction],
    standby_was: Position,
) -> Verdict:
    """Both logs from the fence on. The old writer logged nothing of its own after it; the new one's first own transaction stands after it,
    and is the very next one after what it held as a proved standby: it wrote none in between. Without GTIDs, the new one's log from what
    it held as a standby: nothing of the old writer's stands after its own first transaction.
    """
    by_files = isinstance(standby_was, FilePosition)
    # A point in the old one's log says nothing of the new one's, which by then may still have been behind.
    for server, log in ((old, old_log), *(() if by_files else ((new, new_log),))):
        late = next((entry for entry in log if entry.server_id == old_id), None)
        if late is not None:
            return Refuse(
                f"{old} wrote {late.gtid} after its fence (seen in the log of {server}, {late.file}:{late.offset})",
                "find who wrote it: `mysqlbinlog` from that offset; compare the data of both sides",
            )
    first = first_of(new_id, new_log)
    if first is None:
        return Done(f"{old} wrote nothing after its fence; {new} has not written yet")
    if by_files and (late := first_of(old_id, new_log[new_log.index(first) :])) is not None:
        return Refuse(
            f"{new} wrote before it held everything: its first write is {first.gtid}, and {late.gtid} of {old} came after it",
            f"find who wrote on {new} through read_only; compare the data of both sides",
        )
    if not by_files and steps_to(standby_was, first.gtid) != 1:
        return Refuse(
            f"{new} wrote before it was opened: its first write after the fence is {first.gtid}, and as a standby it was at {standby_was}",
            f"find who wrote on {new} through read_only; compare the data of both sides",
        )
    return Done(
        f"{old} wrote nothing after its fence, and {new} nothing before: its first write is {first.gtid} at {first.file}:{first.offset}"
    )


def steps_to(position: Position, gtid: str) -> int:
    """How many transactions of its source a server at `position` lacks until it holds this one.

    A MySQL GTID stands for itself alone, so its number is compared with the highest that is held of the same source and tag. (A number
    below that fills a hole: servers do so after a restart.)
    """
    target = parse_position(gtid)
    if not isinstance(target, MySQLPosition) or not isinstance(position, MySQLPosition):
        return position.behind(target)
    ((source, intervals),) = target.sets
    held = position.intervals(source)
    return max(1, intervals[-1][1] - (held[-1][1] if held else 0))


def first_of(server_id: int, log: Sequence[LoggedTransaction]) -> LoggedTransaction | None:
    """The first transaction that this server itself wrote."""
    return next((entry for entry in log if entry.server_id == server_id), None)
