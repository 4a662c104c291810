"""`interlock status`: the pair as it is now."""

from __future__ import annotations

from interlock.cli.context import Answer, Context, wired
from interlock.engine.status import status as look
from interlock.model.codec import to_plain
from interlock.report.status_text import status_text


def status(context: Context) -> Answer:
    """Exits 0 whatever it finds: it was told. What is wrong stands in `problems`."""
    with wired(context) as wiring:
        report = look(wiring.world)
    return Answer(plain=to_plain(report), text=lambda width: status_text(report, width))
