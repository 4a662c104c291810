"""The failover plan as a document: what is known of a pair, and what to do on the day, with Interlock and without it."""

from __future__ import annotations

from datetime import datetime

from interlock.dataclass import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """Something that a person does: `lines` for a POSIX shell, each as it is to be typed, and what is to be seen then. Without lines it is
    done by other means.
    """

    does: str
    lines: tuple[str, ...] = ()
    expect: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    titles: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """`says` are paragraphs. `orders` are numbered from 1."""

    title: str
    says: tuple[str, ...] = ()
    table: Table | None = None
    orders: tuple[Order, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Runbook:
    title: str
    made_at: datetime
    parts: tuple[Part, ...]
