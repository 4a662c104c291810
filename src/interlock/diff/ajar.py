"""A fence that lets administrators write for a while, and clients never: MySQL's closest one lets nobody in, not even who mends its rows.

What was seen before is recorded by the caller before anything changes; so whoever comes after a kill can put it back.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from interlock.errors import Refused, StatementFailed
from interlock.model.effects import Fence
from interlock.model.facts import WriteFacts
from interlock.ports import Server

WITHIN_S = 5.0


def lesser_fence(server: Server, seen: WriteFacts) -> str:
    """The fence through which rows can be mended; empty if they can be as it is. Refused if others than clients would come through, too."""
    if not seen.lesser:
        return ""
    people = [one for one in server.sessions() if one.administrator]
    if people:
        raise Refused(
            f"{server.name}: administrators are connected, and would write through its fence while it is mended: "
            f"{'; '.join(str(one) for one in people[:5])}",
            hint="let them end their sessions",
        )
    events = server.events() if seen.event_scheduler == "ON" else ()
    if events:
        raise Refused(
            f"{server.name}: events may write through its fence while it is mended: "
            f"{', '.join(f'{one.schema}.{one.name} of {one.definer}' for one in events[:5])}",
            hint=f"SET GLOBAL event_scheduler=OFF on {server.name}, as `interlock quiesce` does",
        )
    return seen.lesser


@contextmanager
def ajar(server: Server, *, fence: str, lesser_one: str, mark: str) -> Iterator[None]:
    """Proved to keep clients out before and after; `fence` goes back whatever happens within."""
    try:
        server.apply(Fence(server=server.name, within_s=WITHIN_S, as_was=lesser_one), mark)
        server.proof_of_fence()
        yield
    finally:
        shut(server, fence=fence, mark=mark)


def shut(server: Server, *, fence: str, mark: str) -> str:
    """Put the fence back that was seen, and prove it; what came of it, in words. One that was opened meanwhile is not fenced again, for
    somebody made it the writer. StatementFailed if the fence is another one then.
    """
    if not server.write_facts().read_only:
        return f"{server.name} was opened meanwhile, and is left open"
    server.apply(Fence(server=server.name, within_s=WITHIN_S, as_was=fence), mark)
    server.proof_of_fence()
    now = server.write_facts().fence
    if now != fence:
        raise StatementFailed(
            f"{server.name} is fenced by {now or 'read_only'} now, and was by {fence}",
            hint=f"SET PERSIST super_read_only=1 on {server.name}",
            server=server.name,
        )
    return f"{server.name} is fenced by {fence} again"
