"""How long the parts of one fencing may take, so that the whole ends within its bound."""

from __future__ import annotations

END_S = 3.0
"""What ending a program that went over its bound may take (hosts/processes.py: SIGTERM, then SIGKILL)."""


def program_s(own_s: float, whole_s: float) -> float:
    """The bound of one program when it and its end must fit into `whole_s`: its own, or what is left."""
    return min(own_s, max(whole_s - END_S, whole_s / 2))
