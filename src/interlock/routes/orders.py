"""Several orders to one proxy, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from interlock.errors import OutcomeUnknown, Unreachable


def in_order(orders: Sequence[Callable[[], object]]) -> None:
    """Unreachable means that nothing was sent, so only the first can say it: after that it is OutcomeUnknown."""
    for number, order in enumerate(orders):
        try:
            order()
        except Unreachable as error:
            if number == 0:
                raise
            raise OutcomeUnknown(f"{error.message}, after {number} of {len(orders)} orders were carried out", hint=error.hint) from error
