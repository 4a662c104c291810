"""Which accounts pass a fence. None where the privilege tables can't be read: not known."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from interlock.dataclass import dataclass

AccountName = tuple[str, str]
"""User and host pattern."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Accounts:
    """`passing` holds each account that passes a fence, `administrators` those that would pass a lesser one: by themselves, or through any
    role that they may take on.
    """

    known: frozenset[AccountName] = frozenset()
    passing: frozenset[AccountName] = frozenset()
    administrators: frozenset[AccountName] = frozenset()
    readable: bool = True

    def passes(self, user: str, host: str) -> bool | None:
        """Whether a session of `user` from `host` may pass. A session does not say which account it logged in as: any that fits counts.
        None if the tables can't be read, or no account fits.
        """
        fitting = self._fitting(user, host)
        return any(one in self.passing for one in fitting) if self.readable and fitting else None

    def is_administrator(self, user: str, host: str) -> bool:
        return any(one in self.administrators for one in self._fitting(user, host))

    def definer_passes(self, definer: str) -> bool | None:
        """Of `user@host` as events name their definer: exactly that account."""
        user, _, host = definer.rpartition("@")
        if not self.readable or (user, host) not in self.known:
            return None
        return (user, host) in self.passing

    def _fitting(self, user: str, host: str) -> list[AccountName]:
        return [one for one in self.known if one[0] in {user, ""} and _fits(one[1], host)]


def reaching(
    every: frozenset[AccountName], granted: Mapping[AccountName, Collection[AccountName]], direct: Collection[AccountName]
) -> frozenset[AccountName]:
    """Those of `every` that have the right by themselves (`direct`) or through any role, however far (`granted`)."""
    return frozenset(one for one in every if _reaches(one, granted, direct))


def _reaches(start: AccountName, granted: Mapping[AccountName, Collection[AccountName]], goals: Collection[AccountName]) -> bool:
    seen, waiting = set(), [start]
    while waiting:
        one = waiting.pop()
        if one in goals:
            return True
        if one not in seen:
            seen.add(one)
            waiting.extend(granted.get(one, ()))
    return False


def _fits(pattern: str, host: str) -> bool:
    """Whether a session's `host` (maybe with `:port`) fits an account's host pattern. A netmask may fit: it is taken to."""
    if pattern in {"", "%"} or "/" in pattern:
        return True
    address = host.rsplit(":", 1)[0] if host.count(":") == 1 else host
    expression = "".join(".*" if letter == "%" else "." if letter == "_" else re.escape(letter) for letter in pattern)
    return re.fullmatch(expression, address, re.IGNORECASE) is not None
