"""Which run a person means. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import get_close_matches

from interlock.errors import UsageError

RUN_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.~-]{0,159}")
RUN_NAME_RULE = "1 to 160 letters, digits, '_', '.', '~' or '-', beginning with a letter, digit or '_'"
"""Of a run whose name is given. It stands in comments of statements and in names of files."""

_SHOWN = 5


def run_meant(typed: str, known: Sequence[str]) -> str:
    """The run of that name, or the only one whose name begins so. UsageError names the nearest ones. `known` is newest first."""
    if typed in known:
        return typed
    begins = [name for name in known if typed and name.startswith(typed)]
    if len(begins) == 1:
        return begins[0]
    if begins:
        raise UsageError(f"{len(begins)} runs begin with {typed!r}", hint=f"which one: {_listed(begins)}")
    nearest = get_close_matches(typed, known, n=_SHOWN, cutoff=0.6)
    if nearest:
        raise UsageError(f"there is no run {typed!r}", hint=f"did you mean {_listed(nearest)}")
    if known:
        raise UsageError(f"there is no run {typed!r}", hint=f"the latest ones: {_listed(known)}; all of them: interlock runs")
    raise UsageError(
        f"there is no run {typed!r}",
        hint="this store has no runs yet; is it the right one (--store, INTERLOCK_STORE)? `interlock runs` names it",
    )


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
