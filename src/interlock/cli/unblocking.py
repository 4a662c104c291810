"""`interlock repair --channel CLUSTER`: the one change that lets a stopped applier go on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from interlock.cli.context import Answer, Context
from interlock.errors import UsageError

if TYPE_CHECKING:
    from interlock.bootstrap import Wiring


def unblock(context: Context, wiring: Wiring, cluster: str) -> Answer:
    """UsageError: not yet."""
    del context, wiring
    raise UsageError(f"the channel of {cluster} can't be repaired yet")
