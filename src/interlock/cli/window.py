"""`interlock window`: the quietest time for a length of work."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from interlock.cli.context import Answer, Context, wired
from interlock.documents.problems import shown
from interlock.documents.values import duration_s
from interlock.errors import ExitCode, Refused, UsageError
from interlock.model.codec import to_plain
from interlock.model.verdict import Refuse

if TYPE_CHECKING:
    from interlock.audit.activity import Read
    from interlock.bootstrap import Wiring

_MB = 1 << 20
_WITHIN_S = 120.0


def window(context: Context) -> Answer:
    """Refused where the logs are too short to tell."""
    from interlock.decisions.windows import quietest, together  # noqa: PLC0415 - only here
    from interlock.report.window_text import window_text  # noqa: PLC0415 - as above

    options = context.options
    length_s = duration_s(options.for_)
    if not length_s:
        raise UsageError(f"--for {shown(options.for_)} is no length of time", hint="such as --for 30m")
    with wired(context) as wiring:
        masters = [str(master.name) for master in wiring.topology.masters()]
        reads = wiring.world.gather([partial(_read, wiring, name, options.most * _MB) for name in masters])
    found = quietest(together([read.activity for read in reads]), int(length_s), options.count)
    if isinstance(found, Refuse):
        raise Refused(found.why, hint=found.hint)
    plain = {
        "for_s": found.length_s,
        "cycle": "week" if found.cycle_s > 24 * 3600 else "day",
        "windows": to_plain(found.best),
        "peak": to_plain(found.peak),
        "by_hour": list(found.by_hour),
        "logs": [_plain(read) for read in reads],
        "exit_code": int(ExitCode.SUCCEEDED),
    }
    return Answer(plain=plain, text=lambda width: window_text(wiring.topology.name, found, reads, width))


def _read(wiring: Wiring, name: str, most_bytes: int) -> Read:
    from interlock.audit.activity import read_activity  # noqa: PLC0415 - only here

    server = wiring.world.sql_server(name)
    return read_activity(server, server.facts().server_id, wiring.clock, most_bytes=most_bytes, within_s=_WITHIN_S)


def _plain(read: Read) -> dict[str, object]:
    return {
        "server": read.server,
        "since_s": read.activity.since_s,
        "until_s": read.activity.until_s,
        "transactions": sum(read.activity.bins.values()),
        "read_bytes": read.read_bytes,
        "of_bytes": read.of_bytes,
        "whole": read.whole,
    }
